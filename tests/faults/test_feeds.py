"""What arrives is garbled, comes under a wrong clock, was changed by a disk, or is longer than a database takes.

The old list stays published, or one person is left out and counted."""

from __future__ import annotations

import datetime as dt
import random

import pandas as pd
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import upstream
from features import Records
from features.engine.matrix import SpineError
from features.records.problems import RecordsError
from serving.nightly.arrival import ListRefused
from serving.nightly.run import score_store
from serving.runs.repository import current_run
from serving.storage.tables import list_lines
from tests.serving.nightly.test_refused_lists import published

FEEDS = ("referrals", "contacts", "supplies", "results")


def frames_of(world):
    records = world.records()
    return {name: records[name].astype("object") for name in records.tables}


def garbled(frame, chance):
    """Every second row with its cells as a broken conversion of characters leaves them."""
    out = frame.copy()
    for place in range(0, len(out), 2):
        out.iloc[place] = ["".join(chance.choice("\ufffd\x1aÃ¢‚¬;\t0") for _ in range(8)) for _ in out.columns]
    return out


def ingested(frames, folder):
    """What ``upstream ingest own`` makes of CSV files."""
    (folder / "extract").mkdir()
    (folder / "extract" / "about.json").write_text('{"synthetic": true}')
    for name, frame in frames.items():
        frame.to_csv(folder / "extract" / f"{name}.csv", index=False)
    words = ["ingest", "own", str(folder / "extract"), "--out", str(folder / "store")]
    return CliRunner().invoke(upstream.app, words)


@pytest.mark.fault("a garbled feed", "its rows are set aside and counted; the list is refused, the old one stays")
@pytest.mark.parametrize("feed", FEEDS[1:])  # thirteen referrals are too few to compare
def test_a_garbled_feed(home, world, tmp_path, feed):
    frames = frames_of(world)
    rows = len(frames[feed])
    frames[feed] = garbled(frames[feed], random.Random(feed))
    done = ingested(frames, tmp_path)
    assert done.exit_code == 0, done.output
    found = Records.load(tmp_path / "store")
    assert len(found[feed]) == rows // 2 and len(found.quarantine) >= rows - rows // 2
    before = published(home)
    with pytest.raises(ListRefused, match=f"{feed}: rows fell from"):
        score_store(tmp_path / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=1), threads=1)
    assert published(home) == before


@pytest.mark.fault("a feed that cannot be read at all", "ingest ends with exit code 1 and names the table")
@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_that_is_garbled_whole(world, tmp_path, feed):
    frames = frames_of(world)
    frames[feed] = garbled(pd.concat([frames[feed]] * 2).sort_index(kind="stable"), random.Random(feed)).iloc[::2]
    done = ingested(frames, tmp_path)
    assert done.exit_code == 1 and f"every row of {feed} was set aside" in done.output


@pytest.mark.fault(
    "the nightly run's clock is wrong", "a list of last year or of tomorrow is refused; the old one stays"
)
@pytest.mark.parametrize(("days", "said"), [(-365, "check the clock"), (20_000, "in the future")])
def test_a_nightly_run_of_an_implausible_day_is_refused(home, world, days, said):
    before = published(home)
    with pytest.raises((ListRefused, SpineError), match=said):
        score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=days), threads=1)
    assert published(home) == before


@pytest.mark.fault("a bit of the store flips", "the run stops and names the file; the old list stays")
@pytest.mark.parametrize("table", FEEDS)
def test_a_bit_of_the_store_flips(home, world, table):
    path = home / "store" / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1 << random.Random(table).randrange(8)
    path.write_bytes(bytes(content))
    before = published(home)
    with pytest.raises(RecordsError, match=rf"{table}\.parquet is not as it was written"):
        score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=1), threads=1)
    assert published(home) == before


@pytest.mark.fault(
    "ids and names longer than PostgreSQL takes", "the person is left out and counted, names are cut; every list stays"
)
def test_lengths_on_postgresql(home, world, postgres, database_of):
    frames = frames_of(world)
    long_id = "x" * 250
    frames["teams"] = frames["teams"].assign(name=["North " + "n" * 5_000, "South\x07 team"])
    referral = frames["referrals"].iloc[:1].assign(patient_id=long_id, referral_id="long")
    frames["referrals"] = pd.concat([frames["referrals"], referral], ignore_index=True)
    frames["patients"] = pd.concat([frames["patients"], pd.DataFrame({"patient_id": [long_id]})], ignore_index=True)
    frames["supplies"].loc[frames["supplies"].index[0], "medicine"] = "olanzapine " + "o" * 5_000
    Records.from_frames(frames, about={"synthetic": True}).save(home / "store")
    summary = score_store(home / "store", home / "bundles", postgres.url, world.AS_OF, threads=1)
    assert summary.people == 13
    assert summary.left_out["id longer than 200 characters, or with control characters"] == 1
    with database_of(postgres.url).write() as connection:
        run = current_run(connection)
        lists = set(connection.scalars(select(list_lines.c.team_id).where(list_lines.c.run_id == run.run_id)))
    assert lists == {"north", "south"}


@pytest.fixture
def database_of():
    from serving.storage.database import Database

    opened = []

    def open_one(url):
        opened.append(Database(url))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
