"""Memberships of teams and assignments of roles, with their dates and source.

The identity provider says who somebody is. These tables say whose people they see, and their role if the provider
names none (a national identity may come without a role).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from features.errors import UpstreamError
from serving.auditlog.log import Audit, Look, append
from serving.identity.callers import Role, team_named
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import memberships, role_assignments


class MembershipError(UpstreamError, ValueError):
    """A membership that is not possible; the message says what to do."""


@dataclass(frozen=True)
class TeamsHeld:
    """The teams of a person on a day, and those that they lead."""

    ids: frozenset[str]
    leads: frozenset[str]


def teams_of(connection: Connection, issuer: str, subject: str, on: dt.date) -> TeamsHeld:
    """Teams that somebody is in on a day: from ``from_on`` up to the day before ``to_on``."""
    query = select(memberships.c.team_id, memberships.c.lead)
    rows = list(connection.execute(_held(query, memberships, issuer, subject, on)))
    return TeamsHeld(frozenset(row.team_id for row in rows), frozenset(row.team_id for row in rows if row.lead))


def assigned_role(connection: Connection, issuer: str, subject: str, on: dt.date) -> Role | None:
    """The single role assigned to a person on a day; None if there is none, or more than one."""
    query = _held(select(role_assignments.c.role), role_assignments, issuer, subject, on)
    found = set(connection.scalars(query))
    return Role(found.pop()) if len(found) == 1 else None


def _held(query: Select[Any], table: Table, issuer: str, subject: str, on: dt.date) -> Select[Any]:
    return query.where(
        table.c.issuer == issuer,
        table.c.subject == subject,
        table.c.from_on <= on,
        or_(table.c.to_on.is_(None), table.c.to_on > on),
    )


def join_team(
    where: Path | str | Database,
    issuer: str,
    subject: str,
    team_id: str,
    from_on: dt.date,
    to_on: dt.date | None,
    source: str,
    lead: bool = False,
) -> None:
    """Record a membership with its audit event. ``source`` says on whose word. Raises ``MembershipError``."""
    _begin(where, memberships, issuer, subject, {"team_id": team_named(team_id), "lead": lead}, from_on, to_on, source)


def leave_team(
    where: Path | str | Database, issuer: str, subject: str, team_id: str, to_on: dt.date, source: str
) -> int:
    """End the open memberships of somebody in a team; how many there were."""
    return _end(where, memberships, issuer, subject, {"team_id": team_named(team_id)}, to_on, source)


def assign_role(
    where: Path | str | Database,
    issuer: str,
    subject: str,
    role: Role | str,
    from_on: dt.date,
    to_on: dt.date | None,
    source: str,
) -> None:
    """Records a role with its audit event. Raises ``MembershipError``, and ``ValueError`` for an unknown role."""
    _begin(where, role_assignments, issuer, subject, {"role": Role(role).value}, from_on, to_on, source)


def withdraw_role(
    where: Path | str | Database, issuer: str, subject: str, role: Role | str, to_on: dt.date, source: str
) -> int:
    """Ends the open assignments of a role to a person; returns how many there were."""
    return _end(where, role_assignments, issuer, subject, {"role": Role(role).value}, to_on, source)


def _begin(
    where: Path | str | Database,
    table: Table,
    issuer: str,
    subject: str,
    what: dict[str, Any],
    from_on: dt.date,
    to_on: dt.date | None,
    source: str,
) -> None:
    if to_on is not None and to_on <= from_on:
        raise MembershipError("it must end after it begins; check --from and --to")
    when = {"from_on": from_on, "to_on": to_on, "source": source}
    with migrations.opened(where) as database, database.write() as connection:
        try:
            connection.execute(insert(table), {"issuer": issuer, "subject": subject} | what | when)
        except IntegrityError:
            raise MembershipError("that is there already; end it with --to alone, or choose another --from") from None
        _note(connection, database, "began", what, subject, source)


def _end(
    where: Path | str | Database,
    table: Table,
    issuer: str,
    subject: str,
    what: dict[str, Any],
    to_on: dt.date,
    source: str,
) -> int:
    named = [table.c[name] == value for name, value in ({"issuer": issuer, "subject": subject} | what).items()]
    with migrations.opened(where) as database, database.write() as connection:
        ended = connection.execute(update(table).where(*named, table.c.to_on.is_(None)).values(to_on=to_on)).rowcount
        if ended:
            _note(connection, database, "ended", what, subject, source)
    return ended


def _note(
    connection: Connection, database: Database, change: str, what: dict[str, Any], subject: str, source: str
) -> None:
    kind = "role" if "role" in what else "membership"
    detail = {"subject": subject, "source": source} | {name: v for name, v in what.items() if name != "team_id"}
    by = Audit(database, "command line", "operator", "none")
    append(connection, by, Look(f"{kind}.{change}", team_id=what.get("team_id"), detail=detail))
