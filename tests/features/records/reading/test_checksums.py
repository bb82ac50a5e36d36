"""A store that a disk or a copy changed is refused, and the file is named. Nothing of it is read."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import Records
from features.records import RecordsError
from features.records.reading.checksums import CHECKSUMS
from features.records.tables import TABLES
from features.sharded.partition import partition
from tests.tables import TODAY

TABLES_GIVEN = {
    "patients": [{"patient_id": f"p{n}", "birth_date": "1980-02-03"} for n in range(40)],
    "teams": [{"team_id": "T1"}],
    "results": [
        {"patient_id": f"p{n}", "test": "anc", "taken_on": "2025-03-01", "value": str(n / 10), "unit": "10^9/L"}
        for n in range(40)
    ],
}
FLIPS = 60


@pytest.fixture(scope="module")
def written() -> Records:
    frames = {name: pd.DataFrame(TABLES_GIVEN.get(name, []), dtype="object") for name in TABLES_GIVEN}
    return Records.from_frames(frames, today=TODAY)


@pytest.fixture
def store(written: Records, tmp_path: Path) -> Path:
    return written.save(tmp_path / "store")


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("table", ["patients", "results"])
def test_any_bit_that_flips_is_found_and_its_file_named(store, table):
    path = store / f"{table}.parquet"
    for bit in np.random.default_rng(7).choice(8 * path.stat().st_size, FLIPS, replace=False).tolist():
        flip(path, bit)
        with pytest.raises(RecordsError, match=rf"{table}\.parquet is not as it was written"):
            Records.load(store, today=TODAY)
        flip(path, bit)
    assert Records.load(store, today=TODAY)["results"]["value"].notna().all()


def test_a_file_that_is_cut_or_gone_is_named(store):
    path = store / "results.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(RecordsError, match=r"results\.parquet is not as it was written"):
        Records.load(store, today=TODAY)
    path.unlink()
    with pytest.raises(RecordsError, match=r"no results\.csv or results\.parquet in the folder"):
        Records.load(store, today=TODAY)


def test_a_shard_has_checksums_of_its_own_files(store, tmp_path):
    shard = partition(store, tmp_path / "shards", 2) / "00000"
    assert len(Records.load(shard, today=TODAY))
    flip(shard / "results.parquet", 900)
    with pytest.raises(RecordsError, match=r"results\.parquet is not as it was written"):
        Records.load(shard, today=TODAY)


def test_a_store_of_an_earlier_release_has_none_and_loads(store):
    about = json.loads((store / "about.json").read_text())
    assert about.pop(CHECKSUMS).keys() == {f"{name}.parquet" for name in TABLES}
    (store / "about.json").write_text(json.dumps(about))
    assert len(Records.load(store, today=TODAY)) == 40


def test_a_store_saved_again_has_the_checksums_of_its_new_files(store, written, tmp_path):
    csv = Records.load(store, today=TODAY).save(tmp_path / "csv", "csv")
    assert CHECKSUMS not in json.loads((csv / "about.json").read_text())
    assert Records.load(csv, today=TODAY).data_hash == written.data_hash


def test_an_about_that_cannot_be_read_is_one_clear_problem(store):
    (store / "about.json").write_text("{")
    with pytest.raises(RecordsError, match=r"about\.json cannot be read"):
        Records.load(store, today=TODAY)


def test_only_its_owner_reads_a_store(store):
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
