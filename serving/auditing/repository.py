"""Queries over the audit log and emergency access. Neither holds people's records, and only the auditor reads them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, func, insert, select, union

from serving.identity.callers import Caller, Role, person_id
from serving.storage.tables import (
    audit_events,
    emergency_access,
    memberships,
    role_assignments,
    tokens,
)
from serving.storage.visible import visible_people

ANYBODY = Caller("emergency", Role.CMHT_SYSTEM, None, "emergency access")
"""A caller for all teams, used only to find out whether somebody exists and is not the caller's own."""


@dataclass(frozen=True)
class Asked:
    """Which events: of one actor or one name, of one action, about one person, before a number or of a day
    (``YYYY-MM-DD``). None is all."""

    actor: str | None = None
    action: str | None = None
    patient_id: str | None = None
    on: str | None = None
    before: int | None = None
    named: str | None = None
    """Part of what the actor is called, in any case."""


MOST_NAMED = 500


def grant(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(emergency_access), row)


def granted_since(connection: Connection, actor: str, since: dt.datetime) -> int:
    """How many people an actor has opened since a time."""
    query = select(func.count()).select_from(emergency_access)
    return connection.scalar(query.where(emergency_access.c.actor == actor, emergency_access.c.granted_at > since)) or 0


def team_of(connection: Connection, patient_id: str) -> str | None:
    """The team of a person of the published run, for any caller; None if nobody has that id."""
    visible = visible_people(ANYBODY)
    return connection.scalar(select(visible.c.team_id).where(visible.c.patient_id == patient_id))


def grants(connection: Connection, limit: int) -> tuple[list[Row[Any]], int]:
    query = select(emergency_access).order_by(emergency_access.c.granted_at.desc(), emergency_access.c.grant_id)
    total = connection.scalar(select(func.count()).select_from(emergency_access)) or 0
    return list(connection.execute(query.limit(limit))), total


def open_grant(connection: Connection, caller: Caller, patient_id: str, now: dt.datetime) -> Row[Any] | None:
    """The caller's open emergency access to a person, if any; of several, the one that ends last."""
    query = select(emergency_access).where(
        emergency_access.c.actor == caller.token_id,
        emergency_access.c.patient_id == patient_id,
        emergency_access.c.expires_at > now,
    )
    return connection.execute(query.order_by(emergency_access.c.expires_at.desc())).first()


def events(connection: Connection, asked: Asked, limit: int) -> list[Any]:
    """Events newest first."""
    query = select(audit_events).order_by(audit_events.c.seq.desc())
    if asked.actor is not None:
        query = query.where(audit_events.c.actor == asked.actor)
    if asked.named is not None:
        query = query.where(audit_events.c.actor.in_(_actors_named(connection, asked.named)))
    if asked.action is not None:
        query = query.where(audit_events.c.action == asked.action)
    if asked.patient_id is not None:
        # The list is stored as JSON text, so a name stands between quotes.
        named = cast(audit_events.c.patient_ids, Text).contains(json.dumps(asked.patient_id), autoescape=True)
        query = query.where(named)
    if asked.on is not None:
        query = query.where(audit_events.c.at.startswith(asked.on, autoescape=True))
    if asked.before is not None:
        query = query.where(audit_events.c.seq < asked.before)
    return list(connection.execute(query.limit(limit)))


def _actors_named(connection: Connection, part: str) -> list[str]:
    """Who is called something with ``part`` in it, or is that very actor."""
    label = tokens.c.label.icontains(part, autoescape=True)
    known = connection.execute(select(tokens.c.token_id, tokens.c.issuer, tokens.c.subject).where(label))
    found = {person_id(row.issuer, row.subject) if row.subject is not None else row.token_id for row in known}
    for table in (memberships, role_assignments):
        query = select(table.c.issuer, table.c.subject).where(table.c.subject.icontains(part, autoescape=True))
        found |= {person_id(row.issuer, row.subject) for row in connection.execute(query)}
    return [part, *sorted(found)[:MOST_NAMED]]


def names_of(connection: Connection, actors: Iterable[str]) -> dict[str, str]:
    """The display name of each actor of the log: the label of a token, or the name that an identity provider gives."""
    wanted = set(actors)
    query = select(tokens.c.token_id, tokens.c.label).where(tokens.c.token_id.in_(wanted))
    found = {row.token_id: row.label for row in connection.execute(query) if row.label}
    vouched = any(actor.startswith("oidc-") for actor in wanted)
    if vouched:
        known = union(*(select(t.c.issuer, t.c.subject) for t in (memberships, role_assignments)))
        for row in connection.execute(known):
            found.setdefault(person_id(row.issuer, row.subject), row.subject)
        signed_in = select(tokens.c.issuer, tokens.c.subject, tokens.c.label).where(tokens.c.subject.is_not(None))
        for row in connection.execute(signed_in.order_by(tokens.c.created_at)):
            found[person_id(row.issuer, row.subject)] = row.label
    return {actor: name for actor, name in found.items() if actor in wanted}
