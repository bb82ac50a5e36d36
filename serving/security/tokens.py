"""Bearer tokens and sessions: random, shown once, stored as SHA-256, with a role, a team scope and an expiry.

A session is a token too, so a sign-out revokes it at once and there is nothing in the cookie to forge. 32 random
bytes cannot be guessed, so they need no slow hash. A session from an identity provider holds no teams: they are
looked up on every request, so that somebody who leaves a team loses access to its people at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from serving.auditlog.log import Audit, Look, append
from serving.identity.callers import SEES_PEOPLE, Caller, Role, ScopeError, checked_scope, person_id
from serving.security.memberships import TeamsHeld, assigned_role, teams_of
from serving.storage import migrations
from serving.storage.compiled_statements import CompiledStatement
from serving.storage.database import Database
from serving.storage.tables import runs, token_teams, tokens
from serving.storage.visible import published_run

PREFIX = "upstream_"
SESSION_HOURS = 8
NOTED_EVERY = timedelta(minutes=1)
"""The use of a session is written down once a minute at most, so that turning pages does not write."""
REMEMBERED = timedelta(hours=16)
"""How long an ended session still says whose it was, so that what was filled in is kept for its author."""
Kind = Literal["token", "session"]
Ask = Callable[[CompiledStatement, Mapping[str, Any]], Sequence[Any] | None]
# Kept, because making a statement anew for each request took longer than running it.
_TEAMS_OF = CompiledStatement(select(token_teams.c.team_id).where(token_teams.c.token_id == bindparam("token_id")))


class _Token(NamedTuple):
    """What a token or session says of its caller: columns of ``tokens``."""

    token_id: str
    role: str
    all_teams: bool
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    lead: bool
    issuer: str | None
    subject: str | None
    assigned: bool
    last_used_at: datetime | None


_OF_SECRET = CompiledStatement(
    select(*(tokens.c[name] for name in _Token._fields)).where(
        tokens.c.sha256 == bindparam("sha256"), tokens.c.kind == bindparam("kind")
    )
)


def issue_token(
    where: Path | str | Database,
    role: Role | str,
    teams: list[str] | None = None,
    label: str = "",
    days: float = 90,
    *,
    kind: Kind = "token",
    lead: bool = False,
) -> str:
    """Makes a token and returns it; only its SHA-256 is stored. ``where`` is a home folder, a database URL or a
    ``Database``.

    ``teams`` None or empty means all teams, which only ``cmht_system`` may have. ``lead``: the holder leads these
    teams and may download their lists. Raises ``ScopeError``; ``ValueError`` for an unknown role.
    """
    if days <= 0:
        raise ScopeError(f"a token must last longer than 0 days, got {days:g}")
    role = Role(role)
    scope = checked_scope(role, teams)
    if lead and role is not Role.PHARMACIST:
        raise ScopeError(f"only a pharmacist leads a team; leave --lead out for the role {role.value}")
    secret, row = _new(role, label, days, kind)
    row |= {"all_teams": scope is None, "lead": lead}
    with migrations.opened(where) as database, database.write() as connection:
        connection.execute(insert(tokens), row)
        if scope:
            rows = [{"token_id": row["token_id"], "team_id": team} for team in sorted(scope)]
            connection.execute(insert(token_teams), rows)
        detail = {"token_id": row["token_id"], "role": role.value, "teams": sorted(scope or ()), "kind": kind}
        _note(connection, database, "token.issued" if kind == "token" else "signed_in", detail)
    return secret


@dataclass(frozen=True)
class Issued:
    """A token or session as an administrator sees it, without its secret."""

    token_id: str
    kind: str
    role: str
    teams: tuple[str, ...]
    label: str
    person: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    is_live: bool

    def line(self) -> str:
        """The token or session as one line for a terminal."""
        state = f"until {self.expires_at:%Y-%m-%d %H:%M}" if self.is_live else "ended"
        whom = self.person or self.label or "no label"
        scope = ", ".join(self.teams) or "no named team"
        return f"{self.token_id}  {self.kind:<8}{self.role:<16}{state:<24}{scope}  {whom}"


def issued(where: Path | str | Database, *, ended: bool = False) -> list[Issued]:
    """Every live token and session, newest first; with ``ended`` also expired and revoked ones."""
    now = datetime.now(UTC)
    with migrations.opened(where) as database, database.read() as connection:
        teams: dict[str, list[str]] = {}
        for token_id, team in connection.execute(select(token_teams.c.token_id, token_teams.c.team_id)):
            teams.setdefault(token_id, []).append(team)
        rows = list(connection.execute(select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.token_id)))
    found = [
        Issued(
            token_id=row.token_id,
            kind=row.kind,
            role=row.role,
            teams=("all",) if row.all_teams else tuple(sorted(teams.get(row.token_id, ()))),
            label=row.label,
            person=row.subject or "",
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            is_live=row.revoked_at is None and row.expires_at > now,
        )
        for row in rows
    ]
    return [one for one in found if ended or one.is_live]


def end_access(
    where: Path | str | Database, source: str, *, token_id: str | None = None, subject: str | None = None
) -> list[str]:
    """Ends one token or session by its id, or every session of a person by their name at the provider. Returns the
    ids that were live. ``source`` says who asked for it, and is written to the audit log.
    """
    if (token_id is None) == (subject is None):
        raise ScopeError("give either the id of one token, or one person by the provider's name for them")
    named = tokens.c.token_id == token_id if token_id is not None else tokens.c.subject == subject
    now = datetime.now(UTC)
    with migrations.opened(where) as database, database.write() as connection:
        gone = (
            update(tokens)
            .where(named, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now)
            .values(revoked_at=now)
            .returning(tokens.c.token_id, tokens.c.kind)
        )
        ended = list(connection.execute(gone))
        for row in ended:
            _note(connection, database, f"{row.kind}.ended", {"token_id": row.token_id, "source": source[:200]})
    return [row.token_id for row in ended]


def _note(connection: Connection, database: Database, action: str, detail: dict[str, Any]) -> None:
    append(connection, Audit(database, "command line", "operator", "none"), Look(action, detail=detail))


def issue_session(
    connection: Connection, issuer: str, subject: str, role: Role, label: str, *, assigned: bool
) -> tuple[str, Caller]:
    """A session of somebody from ``issuer``, inside the caller's transaction. ``assigned``: we assigned the role, not
    the provider.
    """
    secret, row = _new(role, label, SESSION_HOURS / 24, "session")
    row |= {"all_teams": False, "issuer": issuer, "subject": subject, "assigned": assigned}
    connection.execute(insert(tokens), row)
    return secret, Caller(person_id(issuer, subject), role, frozenset(), label)


def _new(role: Role, label: str, days: float, kind: Kind) -> tuple[str, dict[str, Any]]:
    secret = PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    row = {
        "token_id": secrets.token_hex(8),
        "sha256": digest(secret),
        "kind": kind,
        "role": role.value,
        "label": label[:200],
        "created_at": now,
        "expires_at": now + timedelta(days=days),
    }
    return secret, row


def revoke_token(database: Database, secret: str) -> None:
    """Ends a token now. An unknown token is not an error, because the caller wanted it ended."""
    with database.write() as connection:
        connection.execute(update(tokens).where(tokens.c.sha256 == digest(secret)).values(revoked_at=datetime.now(UTC)))


def end_session(database: Database, sha256: str) -> None:
    """Ends the session that a browser held before it signed in again, with its event; nothing if there is none."""
    if not sha256:
        return
    with database.write() as connection:
        now = datetime.now(UTC)
        gone = (
            update(tokens)
            .where(tokens.c.sha256 == sha256, tokens.c.kind == "session", tokens.c.revoked_at.is_(None))
            .where(tokens.c.expires_at > now)
            .values(revoked_at=now)
            .returning(tokens.c.token_id)
        )
        for token_id in connection.scalars(gone).all():
            detail = {"token_id": token_id, "source": "signed in again"}
            _note(connection, database, "session.ended", detail)


def find_caller(connection: Connection, secret: str, kind: Kind) -> Caller | None:
    """The caller of a live token of this kind, or None if it is unknown, expired, revoked or of another kind."""
    row = _live(connection, secret, kind, datetime.now(UTC))
    return None if row is None else _caller(connection, row)


def token_caller(ask: Ask, secret: str) -> Caller | None:
    """The caller of a live token, read without a transaction: all that it says but its end is written once. ``ask`` is
    ``Database.ask``, or ``ask_at_once``, by which nobody may be found though there is somebody."""
    rows = ask(_OF_SECRET, {"sha256": digest(secret), "kind": "token"})
    if not rows or _has_ended(row := _Token._make(rows[0]), datetime.now(UTC)):
        return None
    held = () if row.all_teams else ask(_TEAMS_OF, {"token_id": row.token_id})
    return None if held is None else _of_token(row, held)


def session_caller(database: Database, secret: str, idle: timedelta) -> Caller | None:
    """The caller of a live session used within ``idle``, which this use extends; None otherwise."""
    now = datetime.now(UTC)
    with database.read() as connection:
        row = _live(connection, secret, "session", now)
        if row is None or now - (last := row.last_used_at or row.created_at) > idle:
            return None
        if row.subject is None and holds_real_people(connection):
            return None
        caller = _caller(connection, row)
    if caller is not None and now - last >= NOTED_EVERY:
        with database.write() as connection:
            connection.execute(update(tokens).where(tokens.c.token_id == row.token_id).values(last_used_at=now))
    return caller


def holds_real_people(connection: Connection) -> bool:
    """True if the published list is of real people. Nobody reads it by a session that asked for no password, even one
    that began before the list was published.
    """
    query = select(runs.c.synthetic).where(runs.c.run_id == published_run().scalar_subquery())
    return connection.scalar(query) is False


def ended_session(database: Database, secret: str) -> Caller | None:
    """Whose session this was, where it ended by itself within ``REMEMBERED``: by its hours, or unused.

    None for one that is unknown, that somebody ended, or whose person holds no role now. It proves nothing but where a
    draft belongs: nothing is shown for it.
    """
    now = datetime.now(UTC)
    with database.read() as connection:
        row = _of_secret(connection, secret, "session")
        if row is None or row.revoked_at is not None or now - row.expires_at > REMEMBERED:
            return None
        return _caller(connection, row)


def session_person(database: Database, secret: str) -> str:
    """Who a live session belongs to (``Caller.person``); empty for none."""
    with database.read() as connection:
        caller = find_caller(connection, secret, "session")
    return caller.person if caller is not None else ""


def _of_secret(connection: Connection, secret: str, kind: Kind) -> _Token | None:
    rows = _OF_SECRET.run(connection, {"sha256": digest(secret), "kind": kind})
    return _Token._make(rows[0]) if rows else None


def _live(connection: Connection, secret: str, kind: Kind, now: datetime) -> _Token | None:
    row = _of_secret(connection, secret, kind)
    return None if row is None or _has_ended(row, now) else row


def _has_ended(row: _Token, now: datetime) -> bool:
    return row.revoked_at is not None or row.expires_at <= now


def _caller(connection: Connection, row: _Token) -> Caller | None:
    if row.subject is not None:
        return _signed_in(connection, row)
    return _of_token(row, () if row.all_teams else _TEAMS_OF.run(connection, {"token_id": row.token_id}))


def _of_token(row: _Token, held: Iterable[tuple[str]]) -> Caller:
    teams = None if row.all_teams else frozenset(team for (team,) in held)
    return Caller(row.token_id, Role(row.role), teams, row.label, teams if row.lead and teams else frozenset())


def _signed_in(connection: Connection, row: _Token) -> Caller | None:
    """A person from an identity provider with today's teams; None if their assigned role was withdrawn."""
    today, role = datetime.now(UTC).date(), Role(row.role)
    issuer, subject = row.issuer or "", row.subject or ""
    if row.assigned and assigned_role(connection, issuer, subject, today) is not role:
        return None
    of = teams_of(connection, issuer, subject, today) if role in SEES_PEOPLE else TeamsHeld(frozenset(), frozenset())
    return Caller(person_id(issuer, subject), role, of.ids, row.label, of.leads)


def form_token(secret: str) -> str:
    """The hidden field of every form of a session, which proves that our own page sent it."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
