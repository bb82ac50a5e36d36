"""All queries over changes of published lists. Every one starts at ``visible_lists`` or ``visible_people``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, Connection, Row, and_, select

from serving.identity.callers import Caller
from serving.storage.tables import list_exits, list_lines, people, run_teams
from serving.storage.visible import all_of, visible_lists, visible_people


def joined_since(connection: Connection, caller: Caller, team_id: str, since: dt.date, limit: int) -> list[Row[Any]]:
    """Who got a slot on a published list of ``since`` or later, newest first."""
    visible = visible_lists(caller)
    query = (
        select(list_lines.c.patient_id, visible.c.as_of, list_lines.c.slot, list_lines.c.place)
        .join(visible, _of_list(list_lines, visible))
        .where(list_lines.c.joined.is_(True), visible.c.team_id == team_id, visible.c.as_of >= since)
        .order_by(visible.c.as_of.desc(), list_lines.c.place)
    )
    return list(connection.execute(query.limit(limit)))


def left_since(connection: Connection, caller: Caller, team_id: str, since: dt.date, limit: int) -> list[Row[Any]]:
    """Who lost a slot on a published list of ``since`` or later and why, newest first."""
    visible = visible_lists(caller)
    query = (
        select(list_exits, visible.c.as_of)
        .join(visible, _of_list(list_exits, visible))
        .where(visible.c.team_id == team_id, visible.c.as_of >= since)
        .order_by(visible.c.as_of.desc(), list_exits.c.rank, list_exits.c.patient_id)
    )
    return list(connection.execute(query.limit(limit)))


def last_place(connection: Connection, caller: Caller, patient_id: str) -> Row[Any, Any, Any] | None:
    """The newest published list of the caller's own teams that the person was on, as they are not now: its team, and
    why they lost a slot."""
    visible = visible_lists(caller)
    query = (
        select(people.c.team_id, visible.c.as_of, run_teams.c.name)
        .join(visible, _of_list(people, visible))
        .join(run_teams, _of_list(run_teams, visible))
        .where(people.c.patient_id == patient_id)
        .order_by(visible.c.as_of.desc(), people.c.team_id)
    )
    return connection.execute(query).first()


def last_exit(connection: Connection, caller: Caller, patient_id: str, team_id: str) -> Row[Any] | None:
    """Why the person last left the team's list; None if they had no place."""
    visible = visible_lists(caller)
    query = (
        select(list_exits, visible.c.as_of)
        .join(visible, _of_list(list_exits, visible))
        .where(list_exits.c.patient_id == patient_id, list_exits.c.team_id == team_id)
        .order_by(visible.c.as_of.desc())
    )
    return connection.execute(query).first()


def here_now(connection: Connection, caller: Caller, team_id: str, patients: Sequence[str]) -> set[str]:
    """Who of ``patients`` is on the team's caseload now."""
    visible = visible_people(caller)
    query = select(visible.c.patient_id).where(visible.c.team_id == team_id, visible.c.patient_id.in_(all_of(patients)))
    return set(connection.scalars(query))


def _of_list(table: Any, visible: CTE) -> Any:
    return and_(table.c.run_id == visible.c.run_id, table.c.team_id == visible.c.team_id)
