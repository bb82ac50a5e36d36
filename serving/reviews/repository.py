"""All queries over reviews. Every one starts at ``visible_people``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from serving.identity.callers import Caller
from serving.storage.tables import reviews
from serving.storage.visible import seen, visible_people

MOST_SHOWN = 200


def history(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """Every version of every review of the person with ``replaced_by``, newest first."""
    visible = _versions(caller).where(reviews.c.patient_id == patient_id)
    written = func.coalesce(reviews.c.written_at, reviews.c.reviewed_at)
    query = visible.order_by(reviews.c.reviewed_at.desc(), written.desc(), reviews.c.review_id)
    return list(connection.execute(query.limit(MOST_SHOWN)))


def find(connection: Connection, caller: Caller, review_id: str) -> Row[Any] | None:
    visible = _versions(caller)
    return connection.execute(visible.where(reviews.c.review_id == review_id)).first()


def find_by_key(connection: Connection, caller: Caller, key: str) -> Row[Any] | None:
    """The review that this caller recorded under an idempotency key."""
    visible = _versions(caller)
    own = (reviews.c.reviewer == caller.token_id, reviews.c.idempotency_key == key)
    return connection.execute(visible.where(*own)).first()


def add(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(reviews), row)


def _versions(caller: Caller) -> Select[Any]:
    """Reviews of people the caller sees now, whichever team made them, with the version that replaced each."""
    visible = visible_people(caller)
    later = reviews.alias("later")
    return (
        select(reviews, later.c.review_id.label("replaced_by"))
        .outerjoin(later, later.c.replaces == reviews.c.review_id)
        .where(seen(visible, reviews))
    )
