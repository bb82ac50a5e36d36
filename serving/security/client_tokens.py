"""Tokens of systems that ask for decision support (CDS Hooks 2.0, "Trusting CDS Clients"): who signs, for which
address, for how long, and once.

Everything that a token could choose for itself is pinned in the settings (``CdsClient``): the issuer, the algorithms
and where keys come from. A token is for one address, lives at most five minutes, and counts once: its ``jti`` is kept
until it has expired.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from features.errors import UpstreamError
from serving.identity.callers import Caller, Role, person_id
from serving.security.oidc import KeyCache, KeysUnavailable, Refused, fetch_keys, unverified
from serving.security.tokens import digest
from serving.settings import CdsClient
from serving.storage.database import Database
from serving.storage.tables import client_token_ids

LONGEST_LIFE = 300
"""Seconds from ``iat`` to ``exp`` that the specification allows."""
LONGEST_JTI = 500


@dataclass(frozen=True)
class ClientToken:
    """A token that holds: whose it is, and what keeps it from being used again."""

    client: CdsClient
    jti: str
    expires_at: dt.datetime

    @property
    def caller(self) -> Caller:
        teams = None if self.client.teams == "all" else frozenset(self.client.teams)
        name = person_id(self.client.issuer, "cds-client").replace("oidc-", "cds-")
        return Caller(name, Role.CMHT_SYSTEM, teams, self.client.issuer[:200])


class CdsClients:
    """The systems that are trusted, each with its keys. ``clock`` is seconds since 1970."""

    def __init__(
        self,
        trusted: Sequence[CdsClient],
        fetch: Callable[[str], dict[str, Any]] = fetch_keys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._trusted = {client.issuer: (client, _keys_of(client, fetch)) for client in trusted}
        self._clock = clock
        self.origins = frozenset(origin for client in trusted for origin in client.origins)

    def __bool__(self) -> bool:
        return bool(self._trusted)

    def verified(self, token: str, audience: str) -> ClientToken:
        """The token, if it holds for ``audience``. Raises ``Refused`` or ``KeysUnavailable``; it is not spent yet."""
        header, claims = unverified(token)
        client, keys = self._trusted.get(str(claims.get("iss")), (None, None))
        if client is None or keys is None:
            raise Refused("the issuer is not trusted")
        if header.get("alg") not in client.algorithms:
            raise Refused("the algorithm is not one of this client's")
        if header.get("typ") != "JWT" or any(name in header for name in ("jwk", "x5u", "x5c")):
            raise Refused("the header is not acceptable")
        if "jku" in header and header["jku"] != client.jwks_url:
            raise Refused("the address of keys is not the one agreed")
        pinned: dict[str, Any] = {
            "iss": {"essential": True, "value": client.issuer},
            "aud": {"essential": True, "value": audience},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "jti": {"essential": True},
        }
        registry = jwt.JWTClaimsRegistry(now=lambda: int(self._clock()), leeway=client.leeway_seconds, **pinned)
        try:
            decoded = jwt.decode(token, keys.find(str(header.get("kid"))), algorithms=list(client.algorithms))
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Refused(type(error).__name__) from None
        return self._bounded(client, decoded.claims)

    def _bounded(self, client: CdsClient, claims: dict[str, Any]) -> ClientToken:
        issued, expires, jti = claims["iat"], claims["exp"], claims["jti"]
        if isinstance(issued, bool) or not isinstance(issued, int | float) or not isinstance(expires, int | float):
            raise Refused("a time is not a number")
        now = self._clock()
        if not 0 <= expires - issued <= LONGEST_LIFE or expires > now + LONGEST_LIFE + client.leeway_seconds:
            raise Refused("it lives longer than five minutes")
        if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
            raise Refused("it has no id")
        if client.tenants and claims.get("tenant") not in client.tenants:
            raise Refused("the tenant is not one agreed")
        until = dt.datetime.fromtimestamp(expires, dt.UTC) + dt.timedelta(seconds=client.leeway_seconds)
        return ClientToken(client, jti, until)


class UsedBefore(UpstreamError):
    """A token was used up by another call."""


SPENT = select(client_token_ids.c.token_sha256).where(client_token_ids.c.token_sha256 == bindparam("kept"))
SPEND = insert(client_token_ids)
FORGET = delete(client_token_ids).where(client_token_ids.c.expires_at <= bindparam("now"))


def spend(database: Database, token: ClientToken) -> bool:
    """Use a token up. False where it was used before."""
    try:
        with database.write() as connection:
            spend_in(connection, [token])
    except UsedBefore:
        return False
    return True


def spend_in(connection: Connection, tokens: Sequence[ClientToken]) -> None:
    """Uses tokens up inside the caller's transaction; ids of tokens that have expired are forgotten. Raises
    ``UsedBefore`` if one was used before, and the transaction must then be rolled back."""
    connection.execute(FORGET, {"now": dt.datetime.now(dt.UTC)})
    rows = [{"token_sha256": _kept(token), "expires_at": token.expires_at} for token in tokens]
    try:
        connection.execute(SPEND, rows)
    except IntegrityError:
        raise UsedBefore from None


def is_spent(database: Database, token: ClientToken) -> bool:
    """Whether the token was used up. Another call may still use it up before this one does."""
    with database.read() as connection:
        return connection.execute(SPENT, {"kept": _kept(token)}).first() is not None


def _kept(token: ClientToken) -> str:
    return digest(f"{token.client.issuer}\n{token.jti}")


def _keys_of(client: CdsClient, fetch: Callable[[str], dict[str, Any]]) -> KeyCache:
    if client.jwks_url is not None:
        return KeyCache(client.jwks_url, fetch)
    return KeyCache(str(client.jwks_file), _read_keys)


def _read_keys(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise KeysUnavailable(type(error).__name__) from None
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise KeysUnavailable("not a key set")
    return found
