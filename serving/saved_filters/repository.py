"""All queries over saved filters. They hold no person: every one is of the owner who asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from serving.storage.tables import saved_filters


def owned_by(connection: Connection, owner: str) -> list[Row[Any]]:
    """``name`` and ``query`` of one owner's filters, by name."""
    query = select(saved_filters.c.name, saved_filters.c.query).where(saved_filters.c.owner == owner)
    return list(connection.execute(query.order_by(func.lower(saved_filters.c.name))))


def put(connection: Connection, owner: str, name: str, query: str, now: dt.datetime) -> None:
    """Stores a filter in the place of one of the same name."""
    remove(connection, owner, name)
    connection.execute(insert(saved_filters).values(owner=owner, name=name, query=query, saved_at=now))


def remove(connection: Connection, owner: str, name: str) -> None:
    own = saved_filters.c.owner == owner
    connection.execute(delete(saved_filters).where(own, func.lower(saved_filters.c.name) == name.lower()))
