"""Ties reviews, emergency access and the exposure log to the audit chain.

They live in their own tables, which anybody with write access to the database can change. The event written with each
row holds the row's hash or its key facts, so a row that was changed, removed or added without an event is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from serving.auditlog.log import EXPOSURES, Broken, rows_hash
from serving.storage.database import Database
from serving.storage.tables import audit_events, emergency_access, exposures, reviews

REVIEWED = ("review.recorded", "review.replaced", "review.undone")
EMERGENCY = "emergency.opened"


REVIEW_CONTENT = (
    "actions",
    "medicines_reconciled",
    "allergies_up_to_date",
    "side_effects_assessed",
    "listing_was",
    "snooze_until",
    "replaces",
    "undone",
    "patient_id",
    "reviewer",
)
ROW_HASH = "row_sha256"
"""The key in a review's event under which the hash of its row stands. Events older than it are held to its
existence alone."""


def content_hash(review: Mapping[str, Any]) -> str:
    """The hash of what a review says, about whom and by whom, as its event holds it."""
    content = {name: review[name] for name in REVIEW_CONTENT}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def check_linked(database: Database) -> list[Broken]:
    """Every row of those tables that differs from its event, is missing, or has no event.

    Rows are compared and never returned, so this reads as the service's own job, for all teams.
    """
    found: list[Broken] = []
    for check in (_reviews, _emergencies, _exposures):
        with database.write() as connection:
            found += check(connection)
    return found


def _events(connection: Connection, *actions: str) -> Iterator[tuple[int, dict[str, Any]]]:
    query = select(audit_events.c.seq, audit_events.c.detail).where(audit_events.c.action.in_(actions))
    for row in connection.execute(query.order_by(audit_events.c.seq)).yield_per(1_000):
        yield row.seq, row.detail


def _reviews(connection: Connection) -> Iterator[Broken]:
    rows = {row.review_id: row._mapping for row in connection.execute(select(reviews))}
    newest = 0
    for seq, detail in _events(connection, *REVIEWED):
        newest = seq
        row = rows.pop(detail.get("review_id", ""), None)
        if row is None:
            yield Broken(seq, "the review that it recorded is gone")
        elif detail.get(ROW_HASH, content_hash(dict(row))) != content_hash(dict(row)):
            yield Broken(seq, "the review that it recorded was changed")
    if rows:
        yield Broken(newest, f"{len(rows)} reviews have no event: they were added to the table directly")


def _emergencies(connection: Connection) -> Iterator[Broken]:
    rows = {row.grant_id: row._mapping for row in connection.execute(select(emergency_access))}
    newest = 0
    for seq, detail in _events(connection, EMERGENCY):
        newest = seq
        row = rows.pop(detail.get("grant_id", ""), None)
        if row is None:
            yield Broken(seq, "the emergency access that it opened is gone")
        elif (row["reason"], row["expires_at"].isoformat()) != (detail.get("reason"), detail.get("until")):
            yield Broken(seq, "the emergency access that it opened was changed")
    if rows:
        yield Broken(newest, f"{len(rows)} emergency accesses have no event: they were added to the table directly")


def _exposures(connection: Connection) -> Iterator[Broken]:
    query = select(audit_events.c.seq, audit_events.c.detail).order_by(audit_events.c.seq)
    expected = {
        row.seq: row.detail[EXPOSURES]
        for row in connection.execute(query).yield_per(1_000)
        if isinstance(row.detail, dict) and EXPOSURES in row.detail
    }
    shown = connection.execute(select(exposures).order_by(exposures.c.audit_seq)).yield_per(1_000)
    for seq, group in groupby((row._mapping for row in shown), key=lambda row: row["audit_seq"]):
        wanted = expected.pop(seq, None)
        if wanted is not None and rows_hash([dict(row) for row in group]) != wanted:
            yield Broken(seq, "who was shown by it was changed in the exposure log")
    for seq in expected:
        yield Broken(seq, "who was shown by it is gone from the exposure log")
