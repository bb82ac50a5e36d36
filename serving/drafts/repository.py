"""All queries over drafts. Reading starts at ``visible_people``: who may not see a person now reads no draft of
them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from serving.identity.callers import Caller
from serving.storage.tables import drafts
from serving.storage.visible import seen, visible_people

# Deleting looks at nobody: an owner's own rows, and those whose time is over.
_OWNER: ColumnElement[Any] = drafts.c.owner
_ABOUT: ColumnElement[Any] = drafts.c.patient_id
_ENDS: ColumnElement[Any] = drafts.c.expires_at


def is_own(connection: Connection, caller: Caller, patient_id: str) -> bool:
    """The caller may see the person, and not in an emergency only."""
    visible = visible_people(caller)
    teams = connection.scalars(select(visible.c.team_id).where(visible.c.patient_id == patient_id))
    return any(not caller.is_beyond(team) for team in teams)


def find(connection: Connection, caller: Caller, patient_id: str, now: dt.datetime) -> bytes | None:
    visible = visible_people(caller)
    query = select(drafts.c.sealed).where(
        drafts.c.owner == caller.person,
        drafts.c.patient_id == patient_id,
        drafts.c.expires_at > now,
        seen(visible, drafts),
    )
    return connection.scalar(query)


def keep(connection: Connection, row: dict[str, Any], now: dt.datetime) -> None:
    """Put a draft in the place of an earlier one; drafts whose time is over go."""
    forget(connection, row["owner"], row["patient_id"])
    connection.execute(delete(drafts).where(now >= _ENDS))
    connection.execute(insert(drafts), row)


def forget(connection: Connection, owner: str, patient_id: str) -> None:
    connection.execute(delete(drafts).where(_OWNER.in_([owner]), _ABOUT.in_([patient_id])))
