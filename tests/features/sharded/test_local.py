"""A build in shards gives what a build of the whole gives, survives being killed, and refuses to mix inputs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import CATALOGUE, Records, SpineError, build
from features.records.tables import TABLES
from features.sharded import local as sharded
from features.sharded import partition as dealing
from features.sharded.local import build_store
from features.sharded.partition import StoreError, partition, shard_of
from training.simulator import simulate

FEW = tuple(CATALOGUE)[::15]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(patients=120, years=2, seed=7).records.save(tmp_path_factory.mktemp("trust") / "store")


@pytest.fixture(scope="module")
def spine(store: Path) -> Path:
    people = Records.load(store).patient_ids
    last = pd.Timestamp(Records.load(store)["results"]["taken_on"].max())
    dates = [last - pd.Timedelta(days=400), last - pd.Timedelta(days=30)]
    rows = pd.DataFrame({"patient_id": np.tile(people, 2), "as_of": np.repeat(dates, len(people))})
    rows = rows.sample(frac=1, random_state=3).assign(team_id="T1")
    rows.to_parquet(store.parent / "spine.parquet", index=False)
    return store.parent / "spine.parquet"


def parts(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}


def rows_of(out: Path) -> pd.DataFrame:
    return pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))]).to_pandas()


def test_the_hash_is_fixed_for_all_time():
    ids = pa.array(["P1", "P2", " P2 ", "æ", None])
    assert shard_of(ids, 1000).tolist() == [857, 755, 755, 399, 0]
    check = "the CRC-32 of 123456789, as every specification of it prints"
    assert shard_of(pa.array(["123456789"]), 2**32).tolist() == [0xCBF43926], check


def test_shards_are_stores_that_hold_every_row_once_and_in_order(store: Path, tmp_path: Path):
    made = partition(store, tmp_path / "shards", 4)
    whole, pieces = Records.load(store), [Records.load(made / f"{n:05}") for n in range(4)]
    assert sorted(p for piece in pieces for p in piece.patient_ids) == list(whole.patient_ids)
    for piece in pieces:
        assert piece.about["synthetic"] and len(piece["teams"]) == len(whole["teams"])
        mine = whole.select(piece.patient_ids)
        for name in TABLES:
            pd.testing.assert_frame_equal(piece[name], mine[name])


def test_dealing_in_small_pieces_gives_the_same_shards(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    large = partition(store, tmp_path / "large", 5)
    monkeypatch.setattr(dealing, "BATCH_ROWS", 500)
    monkeypatch.setattr(dealing, "BUFFER_BYTES", 50_000)
    monkeypatch.setattr(dealing, "OPEN_FILES", 2)
    small = partition(store, tmp_path / "small", 5)
    for shard in range(5):
        for name in TABLES:
            file = f"{shard:05}/{name}.parquet"
            assert pq.read_table(large / file).equals(pq.read_table(small / file))


def test_equal_to_the_build_of_the_whole_bit_for_bit(store: Path, spine: Path, tmp_path: Path):
    manifest = build_store(store, spine, tmp_path / "out", tuple(CATALOGUE), shards=3)
    assert manifest["complete"] and manifest["synthetic"] and manifest["rows"] == 240 and manifest["shards"] == 3
    got = rows_of(tmp_path / "out").sort_values(["patient_id", "as_of"])
    asked = pd.read_parquet(spine).sort_values(["patient_id", "as_of"])
    wanted = build(Records.load(store), asked)
    assert list(got.columns) == [*asked.columns, *wanted.names]
    assert got["patient_id"].tolist() == asked["patient_id"].tolist()
    assert pd.to_datetime(got["as_of"]).tolist() == pd.to_datetime(asked["as_of"]).dt.normalize().tolist()
    assert got[list(wanted.names)].to_numpy(np.float32).tobytes() == wanted.values.tobytes()


def test_rows_are_ordered_within_a_part_and_copies_of_records_are_removed(store: Path, spine: Path, tmp_path: Path):
    build_store(store, spine, tmp_path / "out", FEW, shards=2)
    for path in (tmp_path / "out").glob("part-*.parquet"):
        part = pq.read_table(path).to_pandas()
        pd.testing.assert_frame_equal(part, part.sort_values(["patient_id", "as_of"]))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "part-00000.parquet",
        "part-00001.parquet",
    ]


def test_the_block_size_does_not_change_the_matrix(
    store: Path, spine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    build_store(store, spine, tmp_path / "a", FEW, shards=2)
    monkeypatch.setattr(sharded, "BLOCK_ROWS", 17)
    build_store(store, spine, tmp_path / "b", FEW, shards=2)
    pd.testing.assert_frame_equal(rows_of(tmp_path / "a"), rows_of(tmp_path / "b"))


def test_more_shards_than_people_and_a_partition_made_before(store: Path, spine: Path, tmp_path: Path):
    made = partition(store, tmp_path / "shards", 150)
    build_store(made, spine, tmp_path / "out", FEW)
    assert len(parts(tmp_path / "out")) == 150 and len(rows_of(tmp_path / "out")) == 240
    assert (made / "00000" / "patients.parquet").exists()


def test_a_killed_build_that_is_started_again_gives_the_same_bytes(store: Path, spine: Path, tmp_path: Path):
    build_store(store, spine, tmp_path / "whole", FEW, shards=12, threads=1)
    script = (
        "import sys; from features import CATALOGUE; from features.sharded.local import build_store;"
        "build_store(*sys.argv[1:4], tuple(CATALOGUE)[::15], shards=12, threads=1)"
    )
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", script, str(store), str(spine), str(out)])
    for _ in range(6000):
        if len(list(out.glob("part-*.parquet"))) >= 2 or process.poll() is not None:
            break
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = len(parts(out))
    manifest = build_store(store, spine, out, FEW, shards=12, threads=1)
    assert there >= 2 and manifest["built_now"] == 12 - there
    assert parts(out) == parts(tmp_path / "whole")


def test_a_finished_build_is_not_built_again(store: Path, spine: Path, tmp_path: Path):
    first = build_store(store, spine, tmp_path / "out", FEW, shards=2)
    assert build_store(store, spine, tmp_path / "out", FEW) == first


@pytest.mark.parametrize("other", ["features", "spine", "shards"])
def test_never_resumes_with_other_inputs(store: Path, spine: Path, tmp_path: Path, other: str):
    build_store(store, spine, tmp_path / "out", FEW, shards=2)
    short = tmp_path / "short.parquet"
    pd.read_parquet(spine).head(9).to_parquet(short)
    with pytest.raises(StoreError, match=f"begun with other inputs \\({other}\\); choose an empty folder"):
        build_store(
            store,
            short if other == "spine" else spine,
            tmp_path / "out",
            FEW[1:] if other == "features" else FEW,
            shards=3 if other == "shards" else 2,
        )


def test_a_folder_of_other_files_is_left_alone(store: Path, spine: Path, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="holds other files; choose an empty folder"):
        build_store(store, spine, tmp_path, FEW)


def test_a_csv_spine_and_a_csv_store(store: Path, spine: Path, tmp_path: Path):
    pd.read_parquet(spine).to_csv(tmp_path / "spine.csv", index=False, date_format="%Y-%m-%d")
    build_store(store, tmp_path / "spine.csv", tmp_path / "a", FEW, shards=2)
    build_store(store, spine, tmp_path / "b", FEW, shards=2)
    pd.testing.assert_frame_equal(rows_of(tmp_path / "a"), rows_of(tmp_path / "b"))
    Records.load(store).save(tmp_path / "csv", "csv")
    with pytest.raises(StoreError, match="no Parquet file of patients"):
        build_store(tmp_path / "csv", spine, tmp_path / "c", FEW)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"patient_id": "nobody"}, r"1 rows of the spine \(5\): the patient is not in the records"),
        ({"as_of": pd.NaT}, r"1 rows of the spine \(5\): as_of is missing"),
        ({"as_of": pd.Timestamp("2999-01-01")}, r"1 rows of the spine \(5\): as_of lies in the future"),
        (None, r"1 rows of the spine \(5\): the same patient and date stand in an earlier row"),
    ],
)
def test_spine_rows_that_cannot_be_computed_are_named_by_position(store, spine, tmp_path, change, says):
    rows = pd.read_parquet(spine)
    if change is None:
        rows.loc[5] = rows.loc[2]
    else:
        rows.loc[5, list(change)] = list(change.values())
    rows.to_parquet(tmp_path / "spine.parquet")
    with pytest.raises(SpineError, match=says):
        build_store(store, tmp_path / "spine.parquet", tmp_path / "out", FEW, shards=3)
    assert not parts(tmp_path / "out")


def test_an_incomplete_partition_is_refused(store: Path, spine: Path, tmp_path: Path):
    made = partition(store, tmp_path / "shards", 3)
    (made / "00001" / "complete").unlink()
    with pytest.raises(StoreError, match="1 of 3 shards of the partition are not complete"):
        build_store(made, spine, tmp_path / "out", FEW)
    partition(store, made, 3)
    assert json.loads((made / "partition.json").read_text())["shards"] == 3
    build_store(made, spine, tmp_path / "out", FEW)
