"""Steps of the database up and down, on SQLite and on a real PostgreSQL: tables match, and nothing kept is lost."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, inspect, select, update

from serving.reviews.service import record_review, review_history
from serving.runs import repository as run_queries
from serving.storage import migrations
from serving.storage.explanations import KEPT_APART, of_row, whole
from serving.storage.tables import metadata, people, scores
from tests.serving.storage.published import NORTH, NOW, REVIEW, audit, publish


@pytest.fixture
def database(two_teams):
    return two_teams


def test_migrations_go_up_and_down_and_up_again_and_match_the_tables(empty):
    for _ in range(2):
        migrations.upgrade(empty)
        with empty.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        for revision in ("0006", "0005", "0004", "0003", "0002", "0001", "base"):
            migrations.downgrade(empty, revision)
        assert set(inspect(empty.engine).get_table_names()) <= {"alembic_version"}


def test_a_review_outlives_a_step_down_and_up(database):
    record_review(database, NORTH, audit(database, NORTH), "N1", REVIEW, "key-00001", NOW)
    migrations.downgrade(database, "0001")
    migrations.upgrade(database)
    assert review_history(database, NORTH, audit(database, NORTH), "N1").items[0].actions == ["supply_secured"]


EXPLAINED = {
    people: ("feature_values", "feature_days", "behind", "what_if"),
    scores: ("contributions", "reasons"),
}


def _explain(database, runs):
    """Explanations of N1, which all of ``runs`` share, and of N2, which lie in place; the others lost theirs. Returns
    each row's explanation, as it reads."""
    values = np.arange(60.0)
    of_person = {"feature_values": run_queries.pack(values), "feature_days": run_queries.pack_days(np.arange(9))}
    of_person |= {"behind": [{"table": "results", "day": day} for day in range(40)], "what_if": [{"risk": 0.25}] * 20}
    of_score = {"contributions": run_queries.pack(values * (values % 3 == 0)), "reasons": [{"text": "Café"}] * 60}
    with database.write() as connection:
        for table, found in ((people, of_person), (scores, of_score)):
            connection.execute(insert(KEPT_APART[table]), {"explanation_id": 7, "patient_id": "N1", **found})
            mine = update(table).where(table.c.run_id.in_(runs))
            connection.execute(mine.where(table.c.patient_id == "N1").values(explanation_id=7))
            connection.execute(mine.where(table.c.patient_id == "N2").values(found))
    return {
        table.name: {(run, person): tuple(found.values()) for run in runs for person in ("N1", "N2")}
        for table, found in ((people, of_person), (scores, of_score))
    }


def _explanations(database, *, apart):
    """Each row's explanation by table, run and person, without rows that have none."""
    read = {}
    with database.write() as connection:
        for table, names in EXPLAINED.items():
            query = select(
                table.c.run_id,
                table.c.patient_id,
                *(whole(table, *names) if apart else (table.c[name] for name in names)),
            )
            rows = connection.execute(query.outerjoin(KEPT_APART[table], of_row(table)) if apart else query)
            read[table.name] = {(run, person): tuple(found) for run, person, *found in rows if any(found)}
    return read


def test_explanations_kept_apart_go_back_to_their_rows_one_step_down_and_stay_one_step_up(database):
    publish(database, "run-2", {"N1": "north", "N2": "north", "S1": "south"}, NOW + dt.timedelta(days=1))
    stored = _explain(database, ["run-1", "run-2"])
    assert _explanations(database, apart=True) == stored
    before = _everything_beside(database)
    migrations.downgrade(database, "0023")
    assert not {apart.name for apart in KEPT_APART.values()} & set(inspect(database.engine).get_table_names())
    assert _explanations(database, apart=False) == stored
    assert _everything_beside(database) == before
    migrations.upgrade(database)
    assert _explanations(database, apart=True) == stored
    assert _everything_beside(database) == before


def _everything_beside(database):
    """All rows of the tables of explanations, without these."""
    with database.write() as connection:
        return {
            table.name: sorted(
                tuple(row)
                for row in connection.execute(
                    select(*(column for column in table.c if column.name not in {*names, "explanation_id", "flags"}))
                )
            )
            for table, names in EXPLAINED.items()
        }
