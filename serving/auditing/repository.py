"""Queries over the audit log and emergency access. Neither is a table of people's records; only the auditor reads them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from serving.tables import audit_events, emergency_access


def grant(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(emergency_access), row)


def grants(connection: Connection, limit: int) -> tuple[list[Row[Any]], int]:
    query = select(emergency_access).order_by(emergency_access.c.granted_at.desc(), emergency_access.c.grant_id)
    total = connection.scalar(select(func.count()).select_from(emergency_access)) or 0
    return list(connection.execute(query.limit(limit))), total


def events(connection: Connection, actor: str | None, action: str | None, before: int | None, limit: int) -> list[Any]:
    """Events newest first, cut to an actor, an action, and those older than ``before``."""
    query = select(audit_events).order_by(audit_events.c.seq.desc())
    for column, value in ((audit_events.c.actor, actor), (audit_events.c.action, action)):
        query = query if value is None else query.where(column == value)
    query = query if before is None else query.where(audit_events.c.seq < before)
    return list(connection.execute(query.limit(limit)))
