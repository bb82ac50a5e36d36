"""A nightly run writes the same rows to an empty database of each kind as to the home's own."""

from __future__ import annotations

from sqlalchemy import select

from serving.nightly.run import score_store
from serving.runs.repository import ABOUT_PEOPLE
from serving.storage.database import Database
from serving.storage.explanations import KEPT_APART, of_row, whole
from tests.serving import world


def _rows(table):
    """Every row with its explanation in place, without the number of that."""
    if table not in KEPT_APART:
        return select(table)
    columns = [column for column in whole(table) if column.name != "explanation_id"]
    return select(*columns).outerjoin(KEPT_APART[table], of_row(table))


def rows_of(database):
    with database.write() as connection:
        return {
            table.name: sorted((dict(row) for row in connection.execute(_rows(table)).mappings()), key=repr)
            for table in ABOUT_PEOPLE
        }


def test_both_databases_hold_the_same_rows(home, database, empty_url):
    summary = score_store(home / "store", home / "bundles", empty_url, world.AS_OF, threads=1, shard=5)
    other = Database(empty_url)
    try:
        found = rows_of(other)
    finally:
        other.close()
    assert len(found["people"]) == summary.people and found == rows_of(database)
