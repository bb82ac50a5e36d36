"""Explanations apart from the rows that they explain, so that several runs of one day share them.

A row of ``people`` or ``scores`` names its explanation by ``explanation_id``; its own columns of the same names are
then empty. A row without one has them itself: rows of releases before 0024, and of runs that lost their explanations.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, select, text, update

from serving.storage.tables import people, person_explanations, runs, score_explanations, scores

KEPT_APART: Mapping[Table, Table] = MappingProxyType({people: person_explanations, scores: score_explanations})
"""Where the explanations of a table are kept."""
EMPTY: Mapping[str, Any] = MappingProxyType(
    {"feature_values": b"", "feature_days": None, "behind": None, "what_if": None, "contributions": b"", "reasons": []}
)
"""What a row holds in place of an explanation that is kept apart."""


def of_row(table: Table) -> ColumnElement[bool]:
    """The explanation of a row of ``table``, as the condition of an outer join."""
    return KEPT_APART[table].c.explanation_id == table.c.explanation_id


def whole(table: Table, *names: str) -> list[ColumnElement[Any]]:
    """Columns of ``table``, all without ``names``, with the explanation where it is: the query joins ``of_row``."""
    apart = KEPT_APART[table]
    return [
        func.coalesce(apart.c[name], table.c[name]).label(name) if name in EMPTY else table.c[name]
        for name in names or table.c.keys()
    ]


def next_id(connection: Connection, apart: Table) -> int:
    """The first number that no explanation has. No other run takes numbers until this transaction ends.

    What waits on PostgreSQL is another run alone: a lock of the table would hold up the erasure of a person until this
    run is published with their rows.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:table))"), {"table": apart.name})
    return (connection.scalar(select(func.max(apart.c.explanation_id))) or 0) + 1


def forget(connection: Connection, run_id: str) -> None:
    """Takes a run's explanations from it, and deletes those that no other run of the same bundle and day names."""
    mine = select(runs.c.bundle_id, runs.c.as_of).where(runs.c.run_id == run_id).subquery()
    beside = (
        select(runs.c.run_id)
        .join(mine, and_(runs.c.bundle_id == mine.c.bundle_id, runs.c.as_of == mine.c.as_of))
        .where(runs.c.run_id != run_id)
    )
    for table, apart in KEPT_APART.items():
        named = select(table.c.explanation_id).where(table.c.explanation_id.is_not(None))
        gone = apart.c.explanation_id.in_(named.where(table.c.run_id == run_id))
        shared = apart.c.explanation_id.in_(named.where(table.c.run_id.in_(beside)))
        connection.execute(delete(apart).where(gone, ~shared))
        connection.execute(update(table).where(table.c.run_id == run_id).values(explanation_id=None))
