"""Sign-in to the pages at an identity provider: the authorisation-code flow of OpenID Connect with PKCE, one provider
at a time.

A sign-in under way is kept in the database, not in the browser, and the first answer that names it uses it up,
whatever the result: a state, and with it a code, works once. The cookie of the browser that began must come back with
the answer, so that nobody can finish somebody else's sign-in. The ID token passes the same pinned checks as a bearer
token, with our client id as the audience and our nonce.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from sqlalchemy import Row, delete, insert

from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.http.problems import Problem
from serving.identity.callers import person_id
from serving.security.oidc import FETCH_SECONDS, Issuers, KeysUnavailable, Refused, identity_unavailable, role_for
from serving.security.tokens import digest, issue_session
from serving.settings import OidcIssuer, OidcSignIn
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.tables import sign_ins

MINUTES = 10
"""How long somebody may take at the provider."""
BACK = "/sign-in/back"


@dataclass(frozen=True)
class Begun:
    """Where to send the browser, and the secret that its cookie keeps meanwhile."""

    address: str
    browser: str


@dataclass(frozen=True)
class NoRole(Exception):
    """An authenticated person without a role here. An administrator needs ``subject`` to give them one."""

    label: str
    subject: str


def begin(database: Database, issuer: OidcIssuer, public_url: str) -> Begun:
    """Starts a sign-in. It asks nothing of the provider, so it works while the provider is down; the browser will
    find out.
    """
    provider = _sign_in(issuer)
    started = keep(database, issuer.issuer)
    with _client(issuer, public_url) as client:
        address, _ = client.create_authorization_url(
            provider.authorize_url, state=started.state, code_verifier=started.verifier, nonce=started.nonce
        )
    return Begun(address, started.browser)


@dataclass(frozen=True)
class Started:
    """The secrets of one sign-in under way; the database keeps the hash of two of them."""

    state: str
    browser: str
    nonce: str
    verifier: str


def keep(database: Database, issuer: str) -> Started:
    """Begin a sign-in at ``issuer``: what comes back must name its state and come from its browser."""
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    now = dt.datetime.now(dt.UTC)
    row = {
        "state_sha256": digest(state),
        "browser_sha256": digest(browser),
        "issuer": issuer,
        "nonce": nonce,
        "verifier": verifier,
        "expires_at": now + dt.timedelta(minutes=MINUTES),
    }
    with database.write() as connection:
        connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= now))
        connection.execute(insert(sign_ins), row)
    return Started(state, browser, nonce, verifier)


def finish(
    database: Database,
    issuers: Issuers,
    public_url: str,
    request_id: str,
    *,
    state: str,
    code: str,
    browser: str,
    claimed_issuer: str | None = None,
) -> str:
    """Turns the provider's answer into a session and returns its secret. ``code`` is empty if the provider gave none.

    Raises ``Problem`` 400 for an answer that belongs to no sign-in of this browser (unknown, late, used before), 403
    for a code or a token that does not hold, 503 for a provider that does not answer; ``NoRole`` for somebody without
    a role here.
    """
    row = take_up(database, state, browser)
    issuer, nonce, verifier = _issuer_of(issuers, row.issuer), row.nonce, row.verifier
    # If the provider names itself (RFC 9207), an answer of another provider is refused.
    if not code or (claimed_issuer is not None and claimed_issuer != issuer.issuer):
        raise refused()
    token = _id_token(issuer, public_url, code, verifier)
    client_id = _sign_in(issuer).client_id
    try:
        vouching, claims = issuers.verified(token, audience=client_id, nonce=nonce)
    except Refused:
        raise refused() from None
    except KeysUnavailable:
        raise identity_unavailable() from None
    if vouching is not issuer or claims.get("azp", client_id) != client_id:
        raise refused()
    return open_for(database, issuer, claims, request_id, _sign_in(issuer).label)


def open_for(database: Database, issuer: OidcIssuer, claims: dict[str, Any], request_id: str, place: str) -> str:
    """Opens a session with its audit event in one transaction; raises ``NoRole`` if the person has no role."""
    subject = str(claims["sub"])
    with database.read() as connection:
        role, assigned = role_for(connection, issuer, claims, dt.datetime.now(dt.UTC).date())
    if role is None:
        nobody = Audit(database, person_id(issuer.issuer, subject), "none", request_id)
        nobody.record(Look("sign_in.without_role"))
        raise NoRole(place, subject)
    label = str(claims.get("name") or subject)[:200]
    try:
        with database.write() as connection:
            secret, caller = issue_session(connection, issuer.issuer, subject, role, label, assigned=assigned)
            append(connection, Audit.of(database, caller, request_id), Look("signed_in", detail={"assigned": assigned}))
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    return secret


def take_up(database: Database, state: str, browser: str) -> Row[Any]:
    """The sign-in under way that ``state`` names; this uses it up. 400 if this browser has none."""
    with database.write() as connection:
        gone = delete(sign_ins).where(sign_ins.c.state_sha256 == digest(state)).returning(sign_ins)
        row = connection.execute(gone).first()
    if row is None or row.expires_at <= dt.datetime.now(dt.UTC):
        raise _not_under_way()
    if not secrets.compare_digest(row.browser_sha256, digest(browser)):
        raise _not_under_way()
    return row


def _issuer_of(issuers: Issuers, name: str) -> OidcIssuer:
    issuer = issuers.trusts(name)
    if issuer is None or issuer.sign_in is None:
        raise _not_under_way()
    return issuer


def _id_token(issuer: OidcIssuer, public_url: str, code: str, verifier: str) -> str:
    """The ID token that the provider gives for a code. 403 if it refuses, 503 if it does not answer."""
    try:
        with _client(issuer, public_url) as client:
            answer = client.fetch_token(
                _sign_in(issuer).token_url, grant_type="authorization_code", code=code, code_verifier=verifier
            )
    except AuthlibBaseError:
        raise refused() from None
    except (httpx2.HTTPError, ValueError):
        raise identity_unavailable() from None
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise refused()
    return token


def _sign_in(issuer: OidcIssuer) -> OidcSignIn:
    """Settings of sign-in at a provider, after checking that the provider offers it."""
    assert issuer.sign_in is not None
    return issuer.sign_in


def _client(issuer: OidcIssuer, public_url: str) -> OAuth2Client:
    how = _sign_in(issuer)
    client = OAuth2Client(
        how.client_id,
        how.client_secret.get_secret_value() if how.client_secret else None,
        scope=" ".join(how.scopes),
        redirect_uri=public_url + BACK,
        code_challenge_method="S256",
        timeout=FETCH_SECONDS,
        follow_redirects=False,
    )
    client.register_compliance_hook("access_token_response", no_outage)
    return client


def no_outage(answer: httpx2.Response) -> httpx2.Response:
    """A 5xx is an outage of the provider, not a refusal."""
    if answer.status_code >= 500:
        answer.raise_for_status()
    return answer


def _not_under_way() -> Problem:
    return Problem(
        400, "sign-in-not-under-way", "This sign-in took too long, was used before, or began elsewhere. Start again."
    )


def refused() -> Problem:
    return Problem(403, "sign-in-refused", "The identity provider did not vouch for this sign-in. Start again.")
