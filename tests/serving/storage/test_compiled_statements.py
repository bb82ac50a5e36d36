"""A statement that is compiled once writes and reads what the toolkit would, and fails as it does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta

import pytest
from sqlalchemy import Text, bindparam, cast, create_engine, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from serving.security.tokens import issue_token, revoke_token, token_caller
from serving.storage import migrations
from serving.storage.compiled_statements import CompiledStatement, insert_directly
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.tables import audit_events, audit_head, gaps, people, runs, tokens

ADD = CompiledStatement(insert(audit_events))
EVENT = {
    "seq": 7_000,
    "at": "2026-01-06T09:00:00.000000+00:00",
    "actor": "a",
    "role": "auditor",
    "action": "teams.seen",
    "team_id": None,
    "patient_ids": ["P1", "Zoë's"],
    "run_id": None,
    "bundle_id": "b",
    "request_id": "r",
    "detail": {"as_of": "2026-01-05", "names": True, "none": None},
    "previous": "0" * 64,
    "hash": "1" * 64,
}


@pytest.fixture
def database(empty_url):
    opened = Database(empty_url)
    migrations.upgrade(opened)
    yield opened
    opened.close()


def test_values_are_written_as_the_toolkit_writes_them(database):
    with database.write() as connection:
        connection.execute(insert(audit_events), EVENT)
        assert not ADD.run(connection, EVENT | {"seq": 7_001})
        query = select(audit_events, cast(audit_events.c.detail, Text), cast(audit_events.c.patient_ids, Text))
        by_toolkit, ours = connection.execute(query.order_by(audit_events.c.seq.desc()).limit(2)).all()[::-1]
    assert tuple(ours)[1:] == tuple(by_toolkit)[1:]
    assert tuple(ours)[: len(EVENT)] == tuple((EVENT | {"seq": 7_001}).values())


def test_rows_are_returned_and_the_condition_of_the_statement_holds(database):
    more = update(audit_head).where(audit_head.c.head_id == 1).values(seq=audit_head.c.seq + bindparam("more"))
    with database.write() as connection:
        before = connection.scalar(select(audit_head.c.seq))
        statement = CompiledStatement(more.returning(audit_head.c.seq))
        assert [statement.run(connection, {"more": 2}), statement.run(connection, {"more": 3})] == [
            [(before + 2,)],
            [(before + 5,)],
        ]


def test_an_error_names_its_kind_and_no_value(database):
    with database.write() as connection:
        ADD.run(connection, EVENT)
    with pytest.raises(DatabaseUnavailable) as error, database.write() as connection:
        ADD.run(connection, EVENT)
    assert str(error.value) == "the service database answered IntegrityError"
    assert "P1" not in repr(error.value.__context__)


def test_columns_are_read_as_the_toolkit_reads_them(database):
    issue_token(database, "auditor", label="Zoë", days=1)
    some = (tokens.c.token_id, tokens.c.all_teams, tokens.c.expires_at, tokens.c.revoked_at, tokens.c.lead)
    query = select(*some, tokens.c.label).where(tokens.c.label == bindparam("label"))
    with database.read() as connection:
        (found,) = CompiledStatement(query).run(connection, {"label": "Zoë"})
        assert found == tuple(connection.execute(query, {"label": "Zoë"}).one())
    assert (found[1:5:2], found[2].utcoffset()) == ((False, None), timedelta(0))


def test_it_begins_the_transaction_of_its_connection(database):
    with database.read() as connection:
        assert not CompiledStatement(select(tokens.c.token_id)).run(connection, {})
        assert connection.in_transaction()


def test_a_statement_asked_by_itself_reads_what_it_reads_in_a_transaction(database):
    issue_token(database, "auditor", label="Zoë", days=1)
    query = CompiledStatement(
        select(tokens.c.token_id, tokens.c.expires_at).where(tokens.c.label == bindparam("label"))
    )
    with database.read() as connection:
        expected = query.run(connection, {"label": "Zoë"})
    assert list(database.ask(query, {"label": "Zoë"})) == list(expected) != []
    wrong = CompiledStatement(select(tokens.c.token_id).where(text("no_such_column = 1")))
    with pytest.raises(DatabaseUnavailable, match=r"answered (Operational|Programming)Error"):
        database.ask(wrong, {})


def test_a_statement_is_asked_at_once_or_not_at_all(database):
    secret = issue_token(database, "pharmacist", ["north"], "Zoë")
    at_once, usual = (token_caller(ask, secret) for ask in (database.ask_at_once, database.ask))
    assert usual is not None and usual.team_ids == {"north"}
    assert at_once == (usual if database.url.get_backend_name() == "sqlite" else None)
    revoke_token(database, secret)
    assert token_caller(database.ask_at_once, secret) is token_caller(database.ask, secret) is None
    wrong = CompiledStatement(select(tokens.c.token_id).where(text("no_such_column = 1")))
    assert database.ask_at_once(wrong, {}) is None
    auditor = issue_token(database, "auditor")
    assert token_caller(database.ask, auditor).team_ids == frozenset()


def test_nobody_waits_for_a_database_that_another_program_holds(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    migrations.upgrade(database)
    secret = issue_token(database, "auditor")
    database.engine.dispose()
    with closing(sqlite3.connect(tmp_path / "service.db", isolation_level=None)) as another:
        another.execute("PRAGMA locking_mode=EXCLUSIVE")
        another.execute("BEGIN EXCLUSIVE")
        assert token_caller(database.ask_at_once, secret) is None
        another.execute("ROLLBACK")
    assert token_caller(database.ask_at_once, secret).role == "auditor"
    database.close()


def test_a_plain_transaction_is_committed_whole_or_not_at_all(database):
    def write(connection, seqs):
        for seq in seqs:
            ADD.run(connection, EVENT | {"seq": seq})

    database.commit_together(write, 7_000, plain=True)
    with pytest.raises(DatabaseUnavailable):
        database.commit_together(lambda connection, seqs: write(connection, [7_001, *seqs]), 7_000, plain=True)
    database.commit_together(write, 7_002, plain=True)
    with database.read() as connection:
        found = connection.scalars(select(audit_events.c.seq).where(audit_events.c.seq >= 7_000)).all()
    assert sorted(found) == [7_000, 7_002]


PERSON = {"team_id": "north", "last_seen_on": None, "history_days": 4, "flags": {"short": False, "sources": [None]}}
PERSON |= {"feature_values": bytes(800), "behind": [{"day": day} for day in range(99)], "what_if": None}
GAP = {"position": 0, "code": "X", "severity": "high", "safety": True, "title": "Café", "due_on": date(2026, 1, 5)}
GAP |= {"value": "", "evidence": ["Zoë"], "action": "", "standard": "", "source": "", "verified": False}
ROWS = {
    people: [PERSON | {"patient_id": "P1"}, PERSON | {"patient_id": "P2", "last_seen_on": date(2026, 1, 4)}],
    gaps: [GAP | {"patient_id": "P1", "days_overdue": 2.5}, GAP | {"patient_id": "P2", "days_overdue": None}],
}


@pytest.mark.parametrize("table", ROWS, ids=str)
def test_rows_inserted_directly_are_stored_as_the_toolkit_stores_them(table):
    engine = create_engine("sqlite://", hide_parameters=True)
    with engine.begin() as connection:
        runs.metadata.create_all(connection, tables=[runs, people, gaps])
        connection.execute(insert(table), [{"run_id": "toolkit", **row} for row in ROWS[table]])
        insert_directly(connection, table, ROWS[table], {"run_id": "ours"})
        insert_directly(connection, table, [], {"run_id": "nobody's"})
        stored = connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY patient_id").all()
        by_run = {run: [tuple(row)[1:] for row in stored if row[0] == run] for run in ("toolkit", "ours")}
        assert by_run["ours"] == by_run["toolkit"] and len(by_run["ours"]) == len(stored) / 2 == len(ROWS[table])
        with pytest.raises(IntegrityError) as refused:
            insert_directly(connection, table, ROWS[table], {"run_id": "ours"})
    assert "P1" not in str(refused.value)
    engine.dispose()
