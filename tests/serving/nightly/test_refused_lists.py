"""The nightly run over a store that cannot be right: nothing is published, every page says so, and one named person
can publish it.
"""

from __future__ import annotations

import datetime as dt
import sqlite3

import pytest

from features import Records
from serving.nightly.arrival import Acceptance, ListRefused
from serving.nightly.run import score_store
from serving.runs.schemas import RunInfo


def cut(home, world, table, keep):
    """The store with most rows of one table gone."""
    records = world.records()
    frames = {name: records[name] for name in records.tables}
    frames[table] = frames[table].iloc[:keep]
    Records.from_frames(frames, about={"synthetic": True}).save(home / "store")


def published(home):
    with sqlite3.connect(home / "service.db") as connection:
        return connection.execute("SELECT run_id FROM publications ORDER BY publication_id").fetchall()


def audited(home, action):
    with sqlite3.connect(home / "service.db") as connection:
        return [row[0] for row in connection.execute("SELECT detail FROM audit_events WHERE action = ?", [action])]


def test_a_nearly_empty_table_is_not_published_until_a_named_person_accepts_it(home, start, world):
    before = published(home)
    cut(home, world, "contacts", 2)
    day = world.AS_OF + dt.timedelta(days=1)
    with pytest.raises(ListRefused, match="contacts: rows fell from"):
        score_store(home / "store", home / "bundles", home, day, threads=1)
    assert published(home) == before and len(audited(home, "run.refused")) == 1
    with start(home) as client:
        client.post("/sign-in", data={"choice": "operator"})
        page = client.get("/status").text
        assert "A newer list was not published" in page and "contacts: rows fell from" in page.replace(
            "Contacts", "contacts"
        )
    import upstream

    findings = {found.what: found for found in upstream._findings(home)}
    assert not findings["worklists"].ok
    assert any("contacts: rows fell from" in line for line in findings["worklists"].problems)
    summary = score_store(
        home / "store", home / "bundles", home, day, threads=1, accept=Acceptance("Sam Ward", "a new feed of contacts")
    )
    assert published(home) == [*before, (summary.run_id,)]
    (word,) = audited(home, "run.accepted")
    assert "Sam Ward" in word and "a new feed of contacts" in word and "rows fell" in word
    with start(home) as client:
        client.post("/sign-in", data={"choice": "operator"})
        assert "A newer list was not published" not in client.get("/status").text


def test_a_list_of_an_earlier_day_is_not_published_over_a_newer_one(home, world):
    before = published(home)
    with pytest.raises(ListRefused, match="check the clock"):
        score_store(home / "store", home / "bundles", home, world.AS_OF - dt.timedelta(days=365), threads=1)
    assert published(home) == before


def test_a_list_is_old_after_two_days_where_its_people_are_real():
    made = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    run = RunInfo(
        run_id="r",
        as_of=dt.date(2026, 1, 5),
        made_at=made,
        published_at=made,
        bundle_id="b",
        model_version="1",
        synthetic=False,
        data_source="records store",
        newest_record_on=None,
        outcomes={},
    )
    assert [run.is_stale(dt.date(2026, 1, day)) for day in (5, 6, 7, 8)] == [False, False, False, True]
