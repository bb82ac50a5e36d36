"""``--shards A-B/N``: the jobs of an array build their own shards of one output, in any order, at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from features import CATALOGUE
from features.sharded.command import build_features
from features.sharded.engines import ShardEngine
from features.sharded.local import build_store
from features.sharded.partition import StoreError, partition
from features.sharded.share import Share, share_of
from training.simulator import simulate

FEATURES = tuple(CATALOGUE)[::40]


@pytest.mark.parametrize(
    ("words", "share"),
    [
        ("400", Share(0, 399, 400)),
        ("0-99/400", Share(0, 99, 400)),
        ("399-399/400", Share(399, 399, 400)),
        ("7/400", Share(7, 7, 400)),
        ("0/1", Share(0, 0, 1)),
    ],
)
def test_a_share_names_its_shards_from_zero(words: str, share: Share):
    assert share_of(words) == share
    assert share.whole == (words in ("400", "0/1"))


@pytest.mark.parametrize("words", ["", "0", "-1", "four", "4/4", "3-2/4", "0-4/4", "1-2", "0-1/0", "0-1/4/8", "1.5"])
def test_a_share_that_cannot_be_is_refused(words: str):
    with pytest.raises(StoreError, match="--shards"):
        share_of(words)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of 90 people, ``spine.csv`` (each on two days) and ``whole``, built by one run."""
    folder = tmp_path_factory.mktemp("array")
    records = simulate(patients=90, years=2, seed=5).records
    records.save(folder / "store")
    last = pd.Timestamp(records["results"]["taken_on"].max())
    rows = [(who, (last - pd.Timedelta(days=back)).date()) for who in records.patient_ids for back in (300, 30)]
    pd.DataFrame(rows, columns=["patient_id", "as_of"]).to_csv(folder / "spine.csv", index=False)
    build_store(folder / "store", folder / "spine.csv", folder / "whole", FEATURES, shards=6)
    return folder


def parts(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}


def test_jobs_in_any_order_end_with_the_bytes_of_one_run(trust: Path, tmp_path: Path):
    def job(words: str) -> dict[str, object]:
        return build_store(trust / "store", trust / "spine.csv", tmp_path / "out", FEATURES, shards=share_of(words))

    first = job("4-5/6")
    assert (
        first["left"] == 4
        and not first["complete"]
        and sorted(parts(tmp_path / "out"))
        == [
            "part-00004.parquet",
            "part-00005.parquet",
        ]
    )
    dealt = {path.name for path in (tmp_path / "out" / ".shards").iterdir() if path.is_dir()}
    assert dealt == {"00004", "00005"}, "a job deals its own shards alone"
    assert job("0/6")["left"] == 3
    assert job("0/6")["built_now"] == 0
    last = job("1-3/6")
    assert last["complete"] and last["rows"] == 180 and last["built_now"] == 3
    assert parts(tmp_path / "out") == parts(trust / "whole")
    left = [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
    assert not left, "copies of records and receipts are gone when the last job ends"


def test_jobs_that_begin_at_the_same_moment_do_not_disturb_each_other(trust: Path, tmp_path: Path):
    ready, wrong = threading.Barrier(3), []

    def job(words: str) -> None:
        ready.wait()
        try:
            build_features(
                trust / "store", tmp_path / "out", FEATURES, trust / "spine.csv", None, ShardEngine.LOCAL, "", words
            )
        except Exception as error:  # noqa: BLE001 a thread's error is the test's
            wrong.append(error)

    jobs = [threading.Thread(target=job, args=(words,)) for words in ("0-1/6", "2-3/6", "4-5/6")]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join()
    assert not wrong
    assert parts(tmp_path / "out") == parts(trust / "whole")


def test_a_partition_made_once_serves_every_job(trust: Path, tmp_path: Path):
    divided = partition(trust / "store", tmp_path / "divided", 6)
    for words in ("3-5/6", "0-2/6"):
        build_store(divided, trust / "spine.csv", tmp_path / "out", FEATURES, shards=share_of(words))
    assert parts(tmp_path / "out") == parts(trust / "whole")
    assert (divided / "00005" / "patients.parquet").exists(), "a partition that was given is left alone"


def test_jobs_that_disagree_are_refused(trust: Path, tmp_path: Path):
    build_store(trust / "store", trust / "spine.csv", tmp_path / "out", FEATURES, shards=share_of("0/6"))
    with pytest.raises(StoreError, match="begun with other inputs"):
        build_store(trust / "store", trust / "spine.csv", tmp_path / "out", FEATURES, shards=share_of("1/7"))
    with pytest.raises(StoreError, match="job array of the local engine"):
        build_features(
            trust / "store", tmp_path / "new", FEATURES, trust / "spine.csv", None, ShardEngine.SPARK, "", "0/6"
        )
