"""Queries that are made once and kept still answer for the moment and the caller that asks."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, update

from serving.identity.callers import Caller, Role
from serving.people import repository as person_queries
from serving.storage import database as databases
from serving.storage import visible
from serving.storage.database import DatabaseUnavailable
from serving.storage.tables import audit_head, emergency_access
from serving.storage.visible import visible_people

NORTH = Caller("north-1", Role.PHARMACIST, frozenset({"north"}), "Noor")
OPENED = dt.datetime(2026, 1, 6, 9, tzinfo=dt.UTC)
ENDS = OPENED + dt.timedelta(hours=1)


def test_an_emergency_access_ends_for_a_query_that_was_made_while_it_was_open(database, monkeypatch):
    row = {"grant_id": "g", "actor": "north-1", "actor_name": "Noor", "patient_id": "S02", "reason": "crisis_call"}
    with database.write() as connection:
        connection.execute(insert(emergency_access), row | {"granted_at": OPENED, "expires_at": ENDS})

    def seen(now: dt.datetime, caller: Caller = NORTH) -> bool:
        monkeypatch.setattr(visible, "_now", lambda: now)
        people = visible_people(caller)
        with database.read(caller) as connection:
            return (
                connection.execute(select(people.c.patient_id).where(people.c.patient_id == "S02")).first() is not None
            )

    before, after = ENDS - dt.timedelta(seconds=1), ENDS + dt.timedelta(seconds=1)
    assert [seen(before), seen(after), seen(before)] == [True, False, True]
    assert not seen(before, Caller("north-2", Role.PHARMACIST, frozenset({"north"}), "Noor"))
    assert not seen(before, Caller("north-1", Role.AUDITOR, frozenset(), "Noor"))


def test_callers_share_a_query_only_where_they_may_see_the_same(database):
    again = Caller("north-1", Role.PHARMACIST, frozenset({"north"}), "another label")
    both = Caller("north-1", Role.PHARMACIST, frozenset({"north", "south"}), "Noor")
    assert visible_people(NORTH) is visible_people(again)
    assert visible_people(NORTH) is not visible_people(both)
    with database.read(both) as connection:
        assert person_queries.person(connection, both, "S02") is not None
    with database.read(NORTH) as connection:
        assert person_queries.person(connection, NORTH, "S02") is None


def test_writers_of_one_process_take_turns_and_lose_nothing(database):
    def add(_: int) -> None:
        with database.write() as connection:
            seq = connection.scalar(select(audit_head.c.seq))
            connection.execute(update(audit_head).values(seq=seq + 1))

    with database.read() as connection:
        before = connection.scalar(select(audit_head.c.seq))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(100)))
    with database.read() as connection:
        assert connection.scalar(select(audit_head.c.seq)) == before + 100


def test_a_stuck_writer_is_reported_and_does_not_block_the_others(database, monkeypatch):
    monkeypatch.setattr(databases, "BUSY_TIMEOUT_MS", 50)

    def write() -> None:
        with database.write():
            pass

    with database.write(), ThreadPoolExecutor(1) as other, pytest.raises(DatabaseUnavailable, match="another write"):
        other.submit(write).result()
    write()
