"""All queries of subject access, erasure and retention. They read as the service's own job, for every team."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, or_, select, update

from serving.runs.repository import ABOUT_PEOPLE, current_run, erased_key
from serving.storage.explanations import KEPT_APART, forget
from serving.storage.tables import (
    audit_events,
    card_feedback,
    cards,
    drafts,
    emergency_access,
    erasures,
    exposures,
    gap_statuses,
    identities,
    list_exits,
    publications,
    refusals,
    reviews,
    run_teams,
    runs,
    text_numbers,
    text_receipts,
    text_replies,
    texts,
    token_teams,
    tokens,
    work_items,
)

COMPUTED: tuple[Table, ...] = tuple(reversed(ABOUT_PEOPLE))
"""Tables that nightly runs write from the records, in the order of deletion."""
ERASED: tuple[Table, ...] = (
    *COMPUTED,
    *KEPT_APART.values(),
    cards,
    work_items,
    gap_statuses,
    drafts,
    identities,
    text_numbers,
    texts,
    text_replies,
)
KEPT: tuple[Table, ...] = (reviews, exposures, emergency_access)
"""Fields of an audit event that a copy for the person also holds."""


def people_held(connection: Connection) -> set[str]:
    """The id of everybody about whom a row is held."""
    tables = (*ERASED, *KEPT)
    return {str(one) for table in tables for one in connection.scalars(select(table.c.patient_id).distinct()) if one}


def rows_about(connection: Connection, patient_id: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table about a person, by table; tables without one are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in (*ERASED, *KEPT):
        rows = connection.execute(select(table).where(table.c.patient_id == patient_id))
        if held := [dict(row._mapping) for row in rows]:
            found[table.name] = held
    looks = connection.execute(select(audit_events).order_by(audit_events.c.seq)).yield_per(1_000)
    seen = [_own_part(dict(row._mapping), patient_id) for row in looks if patient_id in row.patient_ids]
    return {**found, **({"audit_events": seen} if seen else {})}


def _own_part(event: dict[str, Any], patient_id: str) -> dict[str, Any]:
    """An event without other people's ids, and without the fields that only the chain needs."""
    kept = ("seq", "at", "role", "actor", "action", "team_id", "run_id", "bundle_id")
    return {"patient_id": patient_id, **{name: event[name] for name in kept}}


def erase(connection: Connection, patient_id: str, at: dt.datetime) -> dict[str, int]:
    """Deletes the rows that may be erased, and stores the hash of the id. Returns how many rows of each table."""
    mine = select(cards.c.card_id).where(cards.c.patient_id == patient_id)
    removed = {"card_feedback": _gone(connection, card_feedback, card_feedback.c.card_id.in_(mine))}
    theirs = select(texts.c.provider_id).where(texts.c.patient_id == patient_id, texts.c.provider_id.is_not(None))
    removed["text_receipts"] = _gone(connection, text_receipts, text_receipts.c.provider_id.in_(theirs))
    for table in ERASED:
        removed[table.name] = _gone(connection, table, table.c.patient_id == patient_id)
    named = list_exits.c.displaced_by == patient_id
    connection.execute(update(list_exits).where(named).values(displaced_by=None))
    key = erased_key(patient_id)
    if connection.scalar(select(erasures.c.erased_at).where(erasures.c.person_sha256 == key)) is None:
        connection.execute(insert(erasures), {"person_sha256": key, "erased_at": at})
    return {name: count for name, count in removed.items() if count}


def kept_of(connection: Connection, patient_id: str) -> dict[str, int]:
    """Number of rows about a person that stay, by table."""
    counted = {
        table.name: connection.scalar(select(func.count()).where(table.c.patient_id == patient_id)) or 0
        for table in KEPT
    }
    return {name: count for name, count in counted.items() if count}


def end_runs(connection: Connection, before: dt.datetime) -> int:
    """Deletes whole runs that finished before then, except the published one. Reviews stay, without their run."""
    now = current_run(connection)
    old = connection.scalars(select(runs.c.run_id).where(runs.c.finished_at < before)).all()
    ended = [run_id for run_id in old if now is None or run_id != now.run_id]
    for run_id in ended:
        forget(connection, run_id)
        for table in (reviews, gap_statuses, work_items):
            connection.execute(update(table).where(table.c.run_id == run_id).values(run_id=None))
        for table in (*COMPUTED, run_teams, publications, runs):
            connection.execute(delete(table).where(table.c.run_id == run_id))
    return len(ended)


def end_access(connection: Connection, before: dt.datetime) -> int:
    """Deletes tokens and sessions that ended before then."""
    ended = or_(tokens.c.expires_at < before, tokens.c.revoked_at < before)
    old = select(tokens.c.token_id).where(ended)
    connection.execute(delete(token_teams).where(token_teams.c.token_id.in_(old)))
    return _gone(connection, tokens, ended)


def end_cards(connection: Connection, before: dt.datetime) -> int:
    """Deletes cards that were shown before a moment, with their feedback."""
    old = select(cards.c.card_id).where(cards.c.shown_at < before)
    connection.execute(delete(card_feedback).where(card_feedback.c.card_id.in_(old)))
    return _gone(connection, cards, cards.c.shown_at < before)


def end_drafts(connection: Connection, now: dt.datetime) -> int:
    """Deletes drafts that can no longer be opened."""
    return _gone(connection, drafts, drafts.c.expires_at < now)


def end_refusals(connection: Connection, before: dt.datetime) -> int:
    """Deletes notes of refused lists from before then."""
    return _gone(connection, refusals, refusals.c.refused_at < before)


def end_workflow(connection: Connection, before: dt.datetime) -> int:
    """Deletes statuses of gaps and work items that were set before then."""
    return _gone(connection, gap_statuses, gap_statuses.c.set_at < before) + _gone(
        connection, work_items, work_items.c.set_at < before
    )


def _gone(connection: Connection, table: Table, which: Any) -> int:
    return int(connection.execute(delete(table).where(which)).rowcount)
