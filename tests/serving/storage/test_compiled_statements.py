"""A statement that is compiled once writes and reads what the toolkit would, and fails as it does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Text, bindparam, cast, insert, select, update

from serving.security.tokens import issue_token
from serving.storage import migrations
from serving.storage.compiled_statements import CompiledStatement
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.tables import audit_events, audit_head, tokens

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
