"""An erasure during a nightly run: on one machine the second one stops; on two machines the lists never hold erased
people."""

from __future__ import annotations

import datetime as dt
import shutil

import pandas as pd
import pytest
from sqlalchemy import func, select

import serving.nightly.run as nightly
from features import Records
from serving.data_rights.service import erase_person
from serving.messages.numbers.loading import store_numbers
from serving.nightly.fitting_ids import ErasedMeanwhile
from serving.nightly.run import score_store
from serving.nightly.silent import score_silently
from serving.runs.repository import current_run
from serving.runs.run_lock import AlreadyRunning, only_runner
from serving.settings import database_url_of
from serving.storage.database import Database
from serving.storage.tables import people, text_numbers
from tests.faults.postgres import cluster
from tests.serving.messages.desks import KEYS

PERSON = "N03"


@pytest.fixture(params=["sqlite", "postgresql"])
def served_home(request, home, monkeypatch, world):
    """A home with a published list, on each database."""
    if request.param == "sqlite":
        yield home
        return
    with cluster() as server:
        monkeypatch.setenv("UPSTREAM_DATABASE_URL", server.url)
        score_store(home / "store", home / "bundles", server.url, world.AS_OF, threads=1)
        yield home


@pytest.fixture
def database(served_home):
    opened = Database(database_url_of(served_home))
    yield opened
    opened.close()


def rows_of_the_person(database):
    with database.write() as connection:
        return connection.scalar(select(func.count()).select_from(people).where(people.c.patient_id == PERSON))


def next_night(home, database, world, **how):
    return score_store(home / "store", home / "bundles", database, world.AS_OF + dt.timedelta(days=1), threads=1, **how)


def erase(home):
    return erase_person(home, PERSON, "Sam Ward", "request 2026/14")


def test_an_erasure_during_a_run_stops_and_erases_nothing(served_home, database, world):
    refused = []

    def asked(stage, done, _total):
        if stage == "publishing" and not done:
            with pytest.raises(AlreadyRunning, match=r"another nightly run \(process \d+\)") as error:
                erase(served_home)
            refused.append(error)

    next_night(served_home, database, world, progress=asked)
    assert refused and rows_of_the_person(database) == 2
    erase(served_home)
    assert rows_of_the_person(database) == 0


def test_a_run_and_silent_scoring_during_an_erasure_stop(served_home, database, world):
    with only_runner(served_home / "nightly", "erasure"):
        for work in (
            lambda: next_night(served_home, database, world),
            lambda: score_silently(served_home / "store", served_home / "bundles", served_home, world.AS_OF),
        ):
            with pytest.raises(AlreadyRunning, match=r"another erasure \(process \d+\)"):
                work()


@pytest.mark.parametrize("served_home", ["postgresql"], indirect=True)
def test_an_erasure_on_another_machine_stops_the_publication(served_home, database, world, tmp_path, monkeypatch):
    """The erasure commits after the run wrote the person's rows and before it publishes them."""
    other = shutil.copytree(served_home, tmp_path / "other")
    with database.read() as connection:
        before = current_run(connection).run_id

    def publish_late(*given, publish=nightly.publish):
        erase(other)
        publish(*given)

    with monkeypatch.context() as late:
        late.setattr(nightly, "publish", publish_late)
        with pytest.raises(ErasedMeanwhile, match="Start it again"):
            next_night(served_home, database, world)
    assert rows_of_the_person(database) == 0
    with database.read() as connection:
        assert current_run(connection).run_id == before
    assert next_night(served_home, database, world).people > 0
    assert rows_of_the_person(database) == 0


def test_an_erasure_removes_what_an_interrupted_run_left(home, world):
    def cut(stage, done, _total):
        if stage == "publishing" and not done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next_night(home, home, world, progress=cut)
    left = list((home / "nightly").rglob("*.db"))
    assert any(PERSON.encode() in path.read_bytes() for path in left)
    erase(home)
    assert not list((home / "nightly").rglob("*.db"))


def test_no_other_feed_brings_an_erased_person_back(home, world):
    """Names are in ``tests/serving/identities/test_loading.py``; here texts and silent scores."""
    again = Records.load(home / "store")
    erase(home)
    again.save(home / "store")
    store_numbers(home, {PERSON: ("+447700900001", True), "N00": ("+447700900002", True)}, KEYS)
    opened = Database(database_url_of(home))
    with opened.write() as connection:
        assert list(connection.scalars(select(text_numbers.c.patient_id))) == ["N00"]
    opened.close()
    score_silently(home / "store", home / "bundles", home, world.AS_OF)
    locked = [pd.read_parquet(path)["patient_id"] for path in (home / "silent").rglob("*.parquet")]
    assert any("N00" in set(ids) for ids in locked) and not any(PERSON in set(ids) for ids in locked)
