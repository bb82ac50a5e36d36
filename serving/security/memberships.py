"""Who is in which team, from when to when, and who says so. The identity provider says who somebody is; this table says whose people they see."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from serving import migrations
from serving.audit import Audit, Look, append
from serving.database import Database
from serving.tables import memberships


class MembershipError(ValueError):
    """A membership that cannot be; the message says what to do."""


def teams_of(connection: Connection, issuer: str, subject: str, on: dt.date) -> frozenset[str]:
    """Teams that somebody is in on a day: from ``from_on`` up to the day before ``to_on``."""
    query = select(memberships.c.team_id).where(
        memberships.c.issuer == issuer,
        memberships.c.subject == subject,
        memberships.c.from_on <= on,
        or_(memberships.c.to_on.is_(None), memberships.c.to_on > on),
    )
    return frozenset(connection.scalars(query))


def join_team(
    where: Path | str | Database,
    issuer: str,
    subject: str,
    team_id: str,
    from_on: dt.date,
    to_on: dt.date | None,
    source: str,
) -> None:
    """Record a membership with its audit event. ``source`` says on whose word. Raises ``MembershipError``."""
    if to_on is not None and to_on <= from_on:
        raise MembershipError("a membership ends after it begins; look at --from and --to")
    row = {
        "issuer": issuer,
        "subject": subject,
        "team_id": team_id,
        "from_on": from_on,
        "to_on": to_on,
        "source": source,
    }
    with migrations.opened(where) as database, database.write() as connection:
        try:
            connection.execute(insert(memberships), row)
        except IntegrityError:
            raise MembershipError("that membership is there already; end it with --to on the same --from") from None
        _note(connection, database, "membership.began", team_id, subject, source)


def leave_team(
    where: Path | str | Database, issuer: str, subject: str, team_id: str, to_on: dt.date, source: str
) -> int:
    """End the open memberships of somebody in a team; how many there were."""
    open_now = (memberships.c.issuer == issuer, memberships.c.subject == subject, memberships.c.team_id == team_id)
    with migrations.opened(where) as database, database.write() as connection:
        ended = connection.execute(
            update(memberships).where(*open_now, memberships.c.to_on.is_(None)).values(to_on=to_on)
        ).rowcount
        if ended:
            _note(connection, database, "membership.ended", team_id, subject, source)
    return ended


def _note(connection: Connection, database: Database, action: str, team_id: str, subject: str, source: str) -> None:
    by = Audit(database, "command line", "operator", "none")
    append(connection, by, Look(action, team_id=team_id, detail={"subject": subject, "source": source}))
