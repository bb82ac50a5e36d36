"""All queries over registers and due dates. Every one starts at ``visible_people``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from serving.identity.callers import Caller
from serving.registers.schemas import RegisterName
from serving.storage.tables import run_teams, summaries
from serving.storage.visible import visible_people, visible_teams


def teams(connection: Connection, caller: Caller) -> list[Row[Any]]:
    """The caller's teams of the published run, by name."""
    mine = visible_teams(caller).subquery("mine")
    return list(connection.execute(select(mine.c.team_id, mine.c.name).order_by(mine.c.name, mine.c.team_id)))


def on_register(connection: Connection, caller: Caller, team_id: str, register: RegisterName) -> list[Row[Any]]:
    """Everybody on a register, of one team or (empty) of all of the caller's own, with ``registers`` and
    ``medicines``."""
    query = _people(caller, team_id, summaries.c.registers, summaries.c.medicines)
    return list(connection.execute(query.where(summaries.c.on_registers.contains(f",{register.value},"))))


def with_dues(connection: Connection, caller: Caller, team_id: str) -> list[Row[Any]]:
    """Everybody of one team, or of all of the caller's own, with ``dues``."""
    return list(connection.execute(_people(caller, team_id, summaries.c.dues)))


def _people(caller: Caller, team_id: str, *columns: Any) -> Select[Any]:
    visible = visible_people(caller)
    query = (
        select(visible.c.patient_id, visible.c.team_id, run_teams.c.name.label("team_name"), *columns)
        .select_from(visible)
        .join(summaries, and_(summaries.c.run_id == visible.c.run_id, summaries.c.patient_id == visible.c.patient_id))
        .join(run_teams, and_(run_teams.c.run_id == visible.c.run_id, run_teams.c.team_id == visible.c.team_id))
        .order_by(visible.c.patient_id)
    )
    if team_id:
        return query.where(visible.c.team_id == team_id)
    # Somebody of another team who was opened in an emergency is on no register of the caller's.
    return query if caller.team_ids is None else query.where(visible.c.team_id.in_(sorted(caller.team_ids)))
