"""All queries over who has whom. Every one over people starts at ``visible_people``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select

from serving.identity.callers import Caller, Role, local_person, person_id
from serving.storage.tables import memberships, role_assignments, token_teams, tokens, work_items
from serving.storage.visible import all_of, visible_people, work_is_done
from serving.work.schemas import Colleague


def colleagues(connection: Connection, team_id: str, now: dt.datetime) -> list[Colleague]:
    """Pharmacists of a team today, by name: those whom a provider vouches for, and holders of a live token."""
    found: dict[str, str] = {}
    today = now.date()
    held = and_(memberships.c.from_on <= today, or_(memberships.c.to_on.is_(None), memberships.c.to_on > today))
    query = select(memberships.c.issuer, memberships.c.subject).where(memberships.c.team_id == team_id, held)
    members = {(row.issuer, row.subject) for row in connection.execute(query)}
    others = _with_another_role(connection, today)
    names = _names(connection, members)
    for issuer, subject in members - others:
        found[person_id(issuer, subject)] = names.get((issuer, subject), subject)
    live = and_(
        tokens.c.role == Role.PHARMACIST.value,
        tokens.c.subject.is_(None),
        tokens.c.revoked_at.is_(None),
        tokens.c.expires_at > now,
        tokens.c.label != "",
    )
    of_team = select(tokens.c.label).join(token_teams, token_teams.c.token_id == tokens.c.token_id)
    for label in connection.scalars(of_team.where(token_teams.c.team_id == team_id, live).distinct()):
        found[local_person(Role.PHARMACIST, label)] = label
    return sorted((Colleague(person=who, name=name) for who, name in found.items()), key=lambda one: one.name.lower())


def newest(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, Row[Any]]:
    """The newest word on each person, for the team that they are with now; with ``reviewed``, whether a review was
    recorded since."""
    visible = visible_people(caller)
    last = (
        select(func.max(work_items.c.item_id).label("item_id"))
        .where(work_items.c.patient_id.in_(all_of(patients)))
        .group_by(work_items.c.patient_id, work_items.c.team_id)
        .subquery("last")
    )
    query = (
        select(work_items, work_is_done().label("reviewed"))
        .join(last, last.c.item_id == work_items.c.item_id)
        .where(
            select(visible.c.patient_id)
            .where(visible.c.patient_id == work_items.c.patient_id, visible.c.team_id == work_items.c.team_id)
            .exists()
        )
    )
    return {row.patient_id: row for row in connection.execute(query)} if patients else {}


def add(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(work_items), row)


def _with_another_role(connection: Connection, today: dt.date) -> set[tuple[str, str]]:
    """Who holds a role here that is not the pharmacist's: their membership does not make them a colleague."""
    held = and_(
        role_assignments.c.from_on <= today,
        or_(role_assignments.c.to_on.is_(None), role_assignments.c.to_on > today),
    )
    query = select(role_assignments).where(held)
    roles: dict[tuple[str, str], set[str]] = {}
    for row in connection.execute(query):
        roles.setdefault((row.issuer, row.subject), set()).add(row.role)
    return {who for who, held_roles in roles.items() if Role.PHARMACIST.value not in held_roles}


def _names(connection: Connection, members: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What each was called when they last signed in."""
    if not members:
        return {}
    query = select(tokens.c.issuer, tokens.c.subject, tokens.c.label).where(
        tokens.c.subject.in_([subject for _, subject in members]), tokens.c.label != ""
    )
    rows = connection.execute(query.order_by(tokens.c.created_at))
    return {(row.issuer, row.subject): row.label for row in rows if (row.issuer, row.subject) in members}
