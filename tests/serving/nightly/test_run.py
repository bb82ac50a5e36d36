"""The nightly run: after a kill it resumes and publishes the same set; one runner at a time; no files are left."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

import serving.nightly.staging as staging
from features import Records
from serving.nightly.arrival import Acceptance
from serving.nightly.processes import WorkerDied, in_processes
from serving.nightly.run import score_store
from serving.nightly.staging import STAGED, Staging
from serving.runs.run_lock import AlreadyRunning, only_runner
from serving.storage.tables import people
from tests.serving.nightly.stored_rows import stored_rows

SCRIPT = Path(__file__).parent / "killed_runs.py"


def published(home: Path) -> dict[str, list[tuple]]:
    """Everything a run publishes, row by row; moments and timings aside."""
    with sqlite3.connect(home / "service.db") as connection:
        found = {
            table: stored_rows(connection, table)
            for table in (
                "run_teams",
                "people",
                "scores",
                "gaps",
                "timelines",
                "person_groups",
                "list_lines",
                "list_exits",
            )
        }
        found["runs"] = connection.execute("SELECT run_id, bundle_id, data_hash, as_of, features FROM runs").fetchall()
        found["pointer"] = connection.execute("SELECT run_id FROM publications").fetchall()
    return found


@pytest.fixture(scope="module")
def as_made(made_home: Path, tmp_path_factory) -> dict[str, list[tuple]]:
    """What the run of the home that all tests copy published. Read from a copy: opening a database changes its
    files, which another worker may be copying."""
    return published(Path(shutil.copytree(made_home, tmp_path_factory.mktemp("as_made") / "home")))


def unpublished(home: Path) -> Path:
    for path in home.glob("service.db*"):
        path.unlink()
    return home


@pytest.mark.slow
def test_killed_at_random_twenty_times_the_published_set_is_the_same(home, as_made, world):
    unpublished(home)
    command = [sys.executable, str(SCRIPT), str(home), world.AS_OF.isoformat(), "20", "8", "2", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPT.parents[2])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["deaths"] == 20
    assert published(home) == as_made


@pytest.mark.slow
def test_the_demo_trust_killed_twenty_times_in_two_processes_publishes_the_same_set(demo_home, tmp_path):
    """SIGKILL at random moments; the workers of a run die with it. A quarter of the trust, in about nine shards:
    twenty deaths cost ten nights."""
    left = shutil.ignore_patterns("mlflow*", "truth", "artefacts", "store")
    home = Path(shutil.copytree(demo_home, tmp_path / "home", ignore=left))
    trust = Records.load(demo_home / "store")
    trust.select(trust.patient_ids[::4]).save(home / "store")
    for path in home.glob("service.db*"):
        path.unlink()
    with sqlite3.connect(demo_home / "service.db") as connection:
        ((as_of,),) = connection.execute("SELECT as_of FROM runs LIMIT 1").fetchall()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(home), as_of, "20", "9", "10", "2"],
        capture_output=True,
        text=True,
        check=False,
        cwd=SCRIPT.parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["deaths"] == 20
    assert published(home) == published(tmp_path / "clean")


def test_an_interrupted_run_resumes_where_it_stopped(home, as_made, world):
    unpublished(home)

    def die(stage: str, done: int, total: int) -> None:
        if stage == "scoring" and done >= 8:
            raise KeyboardInterrupt

    def run(**changes):
        return score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1, shard=4, **changes)

    with pytest.raises(KeyboardInterrupt):
        run(progress=die)
    with sqlite3.connect(home / "service.db") as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (0,)
    assert run().shards_resumed == 2
    assert published(home) == as_made
    assert [path.name for path in (home / "nightly").iterdir()] == ["lock"]


def test_a_second_runner_gets_an_error_and_changes_nothing(home, world):
    unpublished(home)
    with only_runner(home / "nightly"), pytest.raises(AlreadyRunning, match=r"another nightly run \(process \d+\)"):
        score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
    assert not score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1).reused


def test_a_shard_is_staged_whole_or_not_at_all(tmp_path):
    person = {"patient_id": "N1", "team_id": "north", "flags": {}, "feature_values": b"", "feature_days": b""}
    person |= {"behind": "{}", "what_if": []}
    rows = {table.name: [] for table in STAGED} | {"people": [person]}
    staging = Staging(tmp_path, "run", ["N1"])
    with pytest.raises(IntegrityError):
        staging.add(0, rows | {"gaps": [{"patient_id": "N1", "position": None}]})
    again = Staging(tmp_path, "run", ["N1"])
    assert again.finished == frozenset() and list(again.rows(people)) == []
    again.add(0, rows)
    assert again.finished == {0} and [row[1] for row in again.rows(people)] == ["N1"]


def test_two_processes_publish_what_one_does(home, as_made, world):
    unpublished(home)
    reported = []
    score_store(
        home / "store",
        home / "bundles",
        home,
        world.AS_OF,
        threads=2,
        shard=3,
        progress=lambda stage, done, total: reported.append((stage, done, total)),
    )
    assert published(home) == as_made
    assert [done for stage, done, _ in reported if stage == "scoring"] == [0, 3, 6, 9, 12, 13]


def test_an_error_in_a_worker_is_raised_and_finished_shards_are_kept(tmp_path):
    def work(piece):
        (tmp_path / str(piece)).touch()
        if piece == 2:
            raise OSError("disk full")

    finished = []
    with pytest.raises(OSError, match="disk full"):
        in_processes(work, [1, 2, 3, 4], 2, finished.append)
    assert (tmp_path / "2").exists() and 2 not in finished


def test_a_full_disk_in_a_shard_is_one_clear_error(tmp_path, monkeypatch):
    def full(path, engine_of=staging._engine):
        engine = engine_of(path)
        # SQLite's own answer to a full disk: SQLITE_FULL on the first page beyond
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=2"))
        return engine

    monkeypatch.setattr(staging, "_engine", full)
    with pytest.raises(staging.ShardNotWritten, match="Make room on the disk") as error:
        Staging(tmp_path, "run", ["a"]).add(0, {table.name: [] for table in STAGED})
    assert error.value.__cause__ is None and not list(tmp_path.rglob("*.db"))


def test_a_worker_that_is_killed_ends_the_run_with_advice(tmp_path):
    def work(piece):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerDied, match="run again"):
        in_processes(work, [1, 2], 2, lambda piece: None)


def test_an_old_run_loses_its_explanations_and_can_be_made_again(home, as_made, world):
    """A run's size is its explanations. Risks, places and gaps of an old one stay: trends, reviews and lists to come
    read them."""

    def run(as_of: dt.date, **accepted):
        return score_store(home / "store", home / "bundles", home, as_of, threads=1, **accepted)

    def count(words: str) -> int:
        with sqlite3.connect(home / "service.db") as connection:
            return connection.execute(f"SELECT count(*) FROM {words}").fetchone()[0]

    before = published(home)
    old = before["pointer"][0][0]
    later = world.AS_OF + dt.timedelta(days=7)
    assert run(later).thinned == 0, "a run of today is not old"
    with sqlite3.connect(home / "service.db") as connection:
        connection.execute("UPDATE runs SET finished_at = '2020-01-01 00:00:00'")
    newest = run(world.AS_OF + dt.timedelta(days=8))
    assert newest.thinned == 2 and "2 older runs keep their risks" in "\n".join(newest.lines())
    assert count(f"people JOIN person_explanations USING (explanation_id) WHERE run_id = '{newest.run_id}'") > 0
    for table in ("person", "score"):
        named = "people" if table == "person" else "scores"
        assert count(f"{table}_explanations") == count(f"{named} WHERE run_id = '{newest.run_id}'")
    assert count(f"timelines WHERE run_id <> '{newest.run_id}'") == 0
    assert count(f"scores WHERE run_id = '{old}' AND (length(contributions) OR reasons <> '[]')") == 0
    assert count(f"people WHERE run_id = '{old}' AND (length(feature_values) OR behind IS NOT NULL)") == 0

    def kept(rows: dict[str, list[tuple]], table: str, columns: int) -> list[tuple]:
        return [row[:columns] for row in rows[table] if row[0] == old]

    after = published(home)
    for table, columns in (("scores", 6), ("gaps", 99), ("list_lines", 99), ("list_exits", 99), ("person_groups", 99)):
        assert kept(after, table, columns) == kept(before, table, columns)

    again = run(world.AS_OF, accept=Acceptance("Sam Ward", "back to the list of Monday"))
    assert not again.reused and again.run_id == old
    whole = published(home)
    for table in ("people", "scores", "gaps", "timelines", "person_groups"):
        assert kept(whole, table, 99) == kept(before, table, 99)
