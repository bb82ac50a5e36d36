"""All queries over identities. Reads start at ``visible_people``; only the commands of ``upstream identities``
write.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, select, update

from serving.identity.callers import Caller
from serving.runs.repository import insert_rows
from serving.storage.tables import identities, run_teams
from serving.storage.visible import all_of, seen, visible_people


@dataclass(frozen=True)
class Sealed:
    """One row: the sealed identity and the key that sealed it."""

    patient_id: str
    key_id: str
    sealed: bytes


def sealed_of(connection: Connection, caller: Caller, patients: Sequence[str]) -> list[Row[Any]]:
    """``patient_id``, ``key_id`` and ``sealed`` of those of ``patients`` whom the caller may see."""
    visible = visible_people(caller)
    query = select(identities.c.patient_id, identities.c.key_id, identities.c.sealed).where(
        seen(visible, identities), identities.c.patient_id.in_(all_of(patients))
    )
    return list(connection.execute(query))


def everybody(connection: Connection, caller: Caller) -> list[Row[Any]]:
    """Everybody whom the caller may see, with team and, if there is one, the sealed identity."""
    visible = visible_people(caller)
    query = (
        select(
            visible.c.run_id,
            visible.c.patient_id,
            visible.c.team_id,
            run_teams.c.name.label("team_name"),
            identities.c.key_id,
            identities.c.sealed,
        )
        .select_from(visible)
        .join(run_teams, and_(run_teams.c.run_id == visible.c.run_id, run_teams.c.team_id == visible.c.team_id))
        .outerjoin(identities, identities.c.patient_id == visible.c.patient_id)
        .order_by(visible.c.patient_id, visible.c.team_id)
    )
    return list(connection.execute(query))


def replace_all(connection: Connection, rows: Iterable[Sealed], at: dt.datetime) -> None:
    """Replaces the whole table inside the caller's transaction: people not in ``rows`` are deleted."""
    connection.execute(delete(identities))
    insert_rows(connection, identities, ({**vars(row), "given_at": at} for row in rows))


def all_sealed(connection: Connection) -> list[Row[Any]]:
    """Every row, for the change of a key."""
    return list(connection.execute(select(identities).order_by(identities.c.patient_id)))


def seal_again(connection: Connection, rows: Sequence[Sealed]) -> None:
    """Stores the same identities sealed with another key, inside the caller's transaction."""
    if rows:
        query = update(identities).where(identities.c.patient_id == bindparam("which"))
        connection.execute(
            query, [{"which": row.patient_id, "key_id": row.key_id, "sealed": row.sealed} for row in rows]
        )


def keys_used(connection: Connection) -> dict[str, int]:
    """How many identities each key sealed. Nobody is named."""
    query = select(identities.c.key_id, func.count()).group_by(identities.c.key_id)
    return {key_id: count for key_id, count in connection.execute(query)}


__all__ = ["Sealed", "all_sealed", "everybody", "keys_used", "replace_all", "seal_again", "sealed_of"]
