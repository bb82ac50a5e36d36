"""Bearer tokens and demo sessions: random, shown once, stored as SHA-256, with a role, a team scope and an expiry.

A session is a token too, so a sign-out revokes it at once and there is nothing in the cookie to forge. 32 random bytes need no slow
hash: nobody can guess their way to one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from serving import migrations
from serving.database import Database
from serving.security.callers import Caller, Role, checked_scope
from serving.tables import token_teams, tokens

PREFIX = "upstream_"
SESSION_HOURS = 8
Kind = Literal["token", "session"]


def issue_token(
    where: Path | str | Database,
    role: Role | str,
    teams: list[str] | None = None,
    label: str = "",
    days: float = 90,
    *,
    kind: Kind = "token",
) -> str:
    """Make a token and return it; only its SHA-256 is kept. ``where`` is a home folder, a database URL or a ``Database``.

    ``teams`` None or empty means all teams, which only ``cmht_system`` may have. Raises ``ScopeError`` or ``ValueError``.
    """
    if days <= 0:
        raise ValueError(f"a token must last longer than 0 days, got {days:g}")
    role = Role(role)
    scope = checked_scope(role, teams)
    secret = PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    row = {
        "token_id": secrets.token_hex(8),
        "sha256": digest(secret),
        "kind": kind,
        "role": role.value,
        "all_teams": scope is None,
        "label": label[:200],
        "created_at": now,
        "expires_at": now + timedelta(days=days),
    }
    with migrations.opened(where) as database, database.write() as connection:
        connection.execute(insert(tokens), row)
        if scope:
            rows = [{"token_id": row["token_id"], "team_id": team} for team in sorted(scope)]
            connection.execute(insert(token_teams), rows)
    return secret


def revoke_token(database: Database, secret: str) -> None:
    """End a token now. An unknown one is no error: the caller wanted it gone."""
    with database.write() as connection:
        connection.execute(update(tokens).where(tokens.c.sha256 == digest(secret)).values(revoked_at=datetime.now(UTC)))


def find_caller(connection: Connection, secret: str, kind: Kind) -> Caller | None:
    """The caller of a live token of this kind, or None for one that is unknown, expired, revoked or of the other kind."""
    row = connection.execute(select(tokens).where(tokens.c.sha256 == digest(secret), tokens.c.kind == kind)).first()
    if row is None or row.revoked_at is not None or row.expires_at <= datetime.now(UTC):
        return None
    teams: frozenset[str] | None = None
    if not row.all_teams:
        chosen = select(token_teams.c.team_id).where(token_teams.c.token_id == row.token_id)
        teams = frozenset(connection.scalars(chosen))
    return Caller(row.token_id, Role(row.role), teams, row.label)


def form_token(secret: str) -> str:
    """The hidden field of every form of a session: proof that the page that sent it was ours."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
