"""Verifies bearer tokens of an outside identity provider (OpenID Connect, JWT).

Nothing is taken from the token that it could choose itself: the issuer, the audience, the algorithms and the source
of keys are pinned here. Keys are fetched in the request's thread, never on the event loop, at most once per cool-down
whatever tokens arrive. If the provider is down, known keys work for a day.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import Connection

from serving.http.problems import Problem, unavailable
from serving.identity.callers import SEES_PEOPLE, Caller, Role, person_id
from serving.safe_addresses import without_redirects
from serving.security.memberships import assigned_role, teams_of
from serving.settings import OidcIssuer

FRESH_SECONDS = 600.0
COOL_DOWN_SECONDS = 30.0
STALE_SECONDS = 86_400.0
FETCH_SECONDS = 3.0
MAX_KEYS_BYTES = 256_000
TYPES = (None, "JWT", "at+jwt")
OF_AN_ID_TOKEN = ("nonce", "at_hash", "c_hash")
"""Claims that only an ID token has. It says who signed in at a client; it is no permission to call anybody."""
NOT_FROM_A_TOKEN = ("jku", "jwk", "x5u", "x5c")
"""Header fields by which a token would bring its own keys."""


class Refused(Exception):
    """The token cannot be trusted. The reason is for the log and tests; the caller gets only 401."""


class KeysUnavailable(Exception):
    """The provider's keys cannot be fetched and none are stored."""


def fetch_json(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at ``url``: no redirects, a deadline for the whole, a size limit. Raises ``KeysUnavailable``."""
    ends = time.monotonic() + FETCH_SECONDS
    body = b""
    try:
        with without_redirects.open(
            urllib.request.Request(url, headers=headers or {}), timeout=FETCH_SECONDS
        ) as answer:
            # The timeout applies to each read of the socket; an answer that trickles in would never trigger it.
            while (some := answer.read1(MAX_KEYS_BYTES)) and len(body) <= MAX_KEYS_BYTES:
                body += some
                if time.monotonic() > ends:
                    raise KeysUnavailable("too slow")
        found = json.loads(body) if len(body) <= MAX_KEYS_BYTES else None
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise KeysUnavailable(type(error).__name__) from None
    if not isinstance(found, dict):
        raise KeysUnavailable("not an object")
    return found


def fetch_keys(url: str) -> dict[str, Any]:
    """The key set at ``url``: no redirects, a deadline for the whole, a size limit. Raises ``KeysUnavailable``."""
    found = fetch_json(url)
    if not isinstance(found.get("keys"), list):
        raise KeysUnavailable("not a key set")
    return found


@dataclass
class KeyCache:
    """One provider's keys. ``now`` is a monotonic clock in seconds; tests bring their own."""

    url: str
    fetch: Callable[[str], dict[str, Any]] = fetch_keys
    now: Callable[[], float] = time.monotonic
    _keys: KeySet | None = None
    _fetched: float = 0.0
    _tried: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, kid: str) -> Any:
        """The key with the id ``kid``. Raises ``Refused`` if the provider has no such key, ``KeysUnavailable`` if its
        keys are not available.
        """
        key = self._known(kid)
        if key is not None and self._age() <= FRESH_SECONDS:
            return key
        # A request whose key is still valid does not wait for another request's fetch.
        if self._lock.acquire(blocking=key is None or self._age() > STALE_SECONDS):
            try:
                key = self._known(kid)
                if (key is None or self._age() > FRESH_SECONDS) and self._may_try():
                    self._refresh()
            finally:
                self._lock.release()
            key = self._known(kid)
        if self._keys is None or self._age() > STALE_SECONDS:
            raise KeysUnavailable("no keys, or only old ones")
        if key is None:
            raise Refused("the provider has no such key")
        return key

    def _age(self) -> float:
        return self.now() - self._fetched

    def _known(self, kid: str) -> Any:
        return next((key for key in self._keys.keys if key.kid == kid), None) if self._keys else None

    def _may_try(self) -> bool:
        return self._tried is None or self.now() - self._tried >= COOL_DOWN_SECONDS

    def _refresh(self) -> None:
        """Fetches the keys. A failure leaves the known keys in place, so that a short outage of the provider does no
        harm.
        """
        self._tried = self.now()
        try:
            self._keys = KeySet.import_key_set(self.fetch(self.url))  # type: ignore[arg-type]
            self._fetched = self._tried
        except (KeysUnavailable, JoseError, ValueError, KeyError, TypeError):
            return


class Issuers:
    """The trusted identity providers, each with its keys. ``clock`` is seconds since 1970."""

    def __init__(
        self,
        trusted: Sequence[OidcIssuer],
        fetch: Callable[[str], dict[str, Any]] = fetch_keys,
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trusted = {issuer.issuer: (issuer, KeyCache(issuer.jwks_url, fetch, now)) for issuer in trusted}
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._trusted)

    def trusts(self, issuer: str) -> OidcIssuer | None:
        """The settings of an issuer by its name, or None."""
        return self._trusted.get(issuer, (None, None))[0]

    @property
    def with_sign_in(self) -> list[OidcIssuer]:
        """Where people can sign in to the pages, in the order of the settings."""
        return [issuer for issuer, _ in self._trusted.values() if issuer.sign_in]

    def verified(
        self, token: str, *, audience: str | None = None, nonce: str | None = None
    ) -> tuple[OidcIssuer, dict[str, Any]]:
        """The claims of a valid token, and its issuer. Raises ``Refused`` or ``KeysUnavailable``.

        ``audience`` is the expected audience, by default the issuer's; ``nonce`` must be in the token if one is
        given.
        """
        header, claims = unverified(token)
        issuer, keys = self._trusted.get(str(claims.get("iss")), (None, None))
        if issuer is None or keys is None:
            raise Refused("the issuer is not trusted")
        if header.get("alg") not in issuer.algorithms:
            raise Refused("the algorithm is not one of this issuer's")
        if header.get("typ") not in TYPES or any(name in header for name in NOT_FROM_A_TOKEN):
            raise Refused("the header is not acceptable")
        pinned: dict[str, Any] = {
            "iss": {"essential": True, "value": issuer.issuer},
            "aud": {"essential": True, "value": audience or issuer.audience},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        if nonce is not None:
            pinned["nonce"] = {"essential": True, "value": nonce}
        registry = jwt.JWTClaimsRegistry(now=lambda: int(self._clock()), leeway=issuer.leeway_seconds, **pinned)
        try:
            decoded = jwt.decode(token, keys.find(str(header.get("kid"))), algorithms=list(issuer.algorithms))
            registry.validate(decoded.claims)
            lives = float(decoded.claims["exp"]) - self._clock()
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise Refused(type(error).__name__) from None
        if not lives <= issuer.longest_hours * 3600 + issuer.leeway_seconds:
            raise Refused("it lives too long")
        return issuer, decoded.claims

    def caller(self, token: str, connection: Connection, today: dt.date) -> Caller | None:
        """The caller of a token, or None if it is invalid. Teams come from ``memberships``, never from the token.

        Raises a 403 ``Problem`` for somebody without a role here, which a national identity allows, and 503 if keys
        are not available.
        """
        try:
            issuer, claims = self.verified(token)
            _refuse_id_token(issuer, token, claims)
        except Refused:
            return None
        except KeysUnavailable:
            raise identity_unavailable() from None
        role, _ = role_for(connection, issuer, claims, today)
        if role is None:
            raise Problem(
                403, "no-role", "You are signed in, but have no role here. Ask for one, or choose it when signing in."
            )
        subject = str(claims["sub"])
        name = person_id(issuer.issuer, subject)
        if role not in SEES_PEOPLE:
            return Caller(name, role, frozenset(), subject[:200])
        teams = teams_of(connection, issuer.issuer, subject, today)
        return Caller(name, role, teams.ids, subject[:200], teams.leads)


def _refuse_id_token(issuer: OidcIssuer, token: str, claims: dict[str, Any]) -> None:
    """Raises ``Refused`` for a token that is not an access token. The type ``at+jwt`` (RFC 9068) or the claim
    ``token_use`` says that it is one. Without either, no claim may be one of an ID token's, and the audience must not
    be our client at the provider, because that is the audience of every ID token.
    """
    if unverified(token)[0].get("typ") == "at+jwt" or claims.get("token_use") == "access":
        return
    for_our_client = issuer.sign_in is not None and issuer.sign_in.client_id == issuer.audience
    if for_our_client or "token_use" in claims or any(name in claims for name in OF_AN_ID_TOKEN):
        raise Refused("an ID token opens no route")


def identity_unavailable() -> Problem:
    return unavailable("identity-unavailable", "The identity provider does not answer. Try again soon.", 30)


def role_for(
    connection: Connection, issuer: OidcIssuer, claims: dict[str, Any], today: dt.date
) -> tuple[Role | None, bool]:
    """The role of a person, and whether we assigned it: the provider's role if it names any, else ours.

    An unknown role from the provider counts as no role: somebody who signed in as a receptionist is not looked up as
    a pharmacist.
    """
    if claims.get(issuer.role_claim) in (None, "", []):
        return assigned_role(connection, issuer.issuer, str(claims["sub"]), today), True
    return role_of(issuer, claims), False


def role_of(issuer: OidcIssuer, claims: dict[str, Any]) -> Role | None:
    """The role for the issuer's claim; None if there is none, or if several are claimed at once."""
    claimed = claims.get(issuer.role_claim)
    values = claimed if isinstance(claimed, list) else [claimed]
    found = {issuer.roles[value] for value in values if isinstance(value, str) and value in issuer.roles}
    return Role(found.pop()) if len(found) == 1 else None


def unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of an unverified token. They may only be used to choose whom to ask."""
    parts = token.split(".")
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, binascii.Error):
        raise Refused("not a token") from None
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise Refused("not a token")
    return header, claims
