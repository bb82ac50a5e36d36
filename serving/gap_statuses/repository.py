"""All queries over statuses of gaps. Every one starts at ``visible_people``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CTE, Connection, Row, Select, func, insert, select

from serving.identity.callers import Caller
from serving.storage.tables import gap_statuses, gaps
from serving.storage.visible import KEPT, PATIENTS, all_of, of_seen, seen, visible_people

MOST_SHOWN = 200


def gap(connection: Connection, caller: Caller, patient_id: str, code: str) -> Any | None:
    """``code``, ``severity`` and ``evidence`` of one gap of the published run."""
    visible = visible_people(caller)
    query = select(gaps.c.code, gaps.c.severity, gaps.c.evidence).where(
        of_seen(visible, gaps), gaps.c.patient_id == patient_id, gaps.c.code == code
    )
    return connection.execute(query).first()


def gaps_of(connection: Connection, caller: Caller, patients: Sequence[str]) -> list[Row[Any]]:
    """``patient_id``, ``code``, ``severity`` and ``evidence`` of every gap of some people, of the published run."""
    if not patients:
        return []
    visible = visible_people(caller)
    query = select(gaps.c.patient_id, gaps.c.code, gaps.c.severity, gaps.c.evidence).where(
        of_seen(visible, gaps), gaps.c.patient_id.in_(all_of(patients))
    )
    return list(connection.execute(query))


def add(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(gap_statuses), row)


def history(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """Every status of a person's gaps, newest first."""
    visible = visible_people(caller)
    query = (
        select(gap_statuses)
        .where(
            gap_statuses.c.patient_id == patient_id,
            seen(visible, gap_statuses),
        )
        .order_by(gap_statuses.c.status_id.desc())
    )
    return list(connection.execute(query.limit(MOST_SHOWN)))


def newest(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, dict[str, Row[Any]]]:
    """The newest status of each gap, by person and code."""
    found: dict[str, dict[str, Row[Any]]] = {}
    for row in connection.execute(_newest(visible_people(caller)), {"patients": list(patients)}):
        found.setdefault(row.patient_id, {})[row.code] = row
    return found


@lru_cache(maxsize=KEPT)
def _newest(visible: CTE) -> Select[Any]:
    last = (
        select(func.max(gap_statuses.c.status_id).label("status_id"))
        .where(gap_statuses.c.patient_id.in_(PATIENTS))
        .group_by(gap_statuses.c.patient_id, gap_statuses.c.code)
        .subquery("last")
    )
    return (
        select(gap_statuses).join(last, last.c.status_id == gap_statuses.c.status_id).where(seen(visible, gap_statuses))
    )
