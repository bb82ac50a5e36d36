"""Who may call a route, as a typed dependency: ``caller: Annotated[Caller, Depends(Requires(Role.PHARMACIST))]``.

The JSON routes take a bearer token only and the pages a session cookie only, so no page can be made to send a JSON
request for somebody.
"""

from __future__ import annotations

import datetime as dt
import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase
from starlette.responses import Response

from serving.http.problems import Problem, forbidden, unauthorised
from serving.identity.callers import EVERYONE, SEES_PEOPLE, Caller, Role
from serving.security.tokens import PREFIX, SESSION_HOURS, find_caller, form_token, session_caller
from serving.state import Service, address_of, service_of

SESSION_COOKIE = "upstream_session"


class Requires(SecurityBase):
    """Admits callers with a live bearer token and one of ``roles``: 401 without a token, 403 for another role."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)
        self.model = BearerModel(description="A token made by `upstream token`.")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Caller:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        service = service_of(request)
        if scheme.lower() != "bearer" or not secret.strip():
            raise unauthorised()
        caller = await service.reads.run(_find, service, secret.strip())
        if caller is None:
            service.rates.strangers.spend(address_of(request, service.settings))
            raise unauthorised()
        return admitted(request, service, caller, self.roles)


def spend_as_stranger(request: Request) -> None:
    """Count a request that proves nothing against its address. Raises 429."""
    service = service_of(request)
    service.rates.strangers.spend(address_of(request, service.settings))


class SignInNeeded(Exception):
    """A page was asked for without a live session."""


class RequiresSession:
    """Admits browsers with a live session and one of ``roles``: others go to the sign-in page, or get 403."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        secret = request.cookies.get(SESSION_COOKIE, "")
        service = service_of(request)
        idle = dt.timedelta(minutes=service.settings.session_idle_minutes)
        caller = await service.reads.run(session_caller, service.database, secret, idle) if secret else None
        if caller is None:
            raise SignInNeeded
        return admitted(request, service, caller, self.roles)


def set_session_cookie(answer: Response, secret: str, *, secure: bool) -> None:
    """Put a session into the browser: out of reach of scripts, sent by our own pages only, over https wherever pages
    are."""
    answer.set_cookie(
        SESSION_COOKIE, secret, max_age=SESSION_HOURS * 3600, httponly=True, samesite="strict", secure=secure
    )


def require_own_form(request: Request, proof: str) -> None:
    """403 unless the form came from a page of this very session."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    if not secret or not hmac.compare_digest(proof.encode(), form_token(secret).encode()):
        raise Problem(403, "foreign-origin", "Forms and changes are accepted from this service's own pages only.")


def admitted(request: Request, service: Service, caller: Caller, roles: frozenset[Role]) -> Caller:
    """The caller, if it has not used up its share of requests (429) and holds one of ``roles`` (403)."""
    request.scope["state"]["role"] = caller.role.value
    request.scope["state"]["caller"] = caller
    service.rates.spend(caller)
    if caller.role not in roles:
        raise forbidden()
    return caller


def _find(service: Service, secret: str) -> Caller | None:
    with service.database.read() as connection:
        if service.issuers and not secret.startswith(PREFIX):
            return service.issuers.caller(secret, connection, dt.datetime.now(dt.UTC).date())
        return find_caller(connection, secret, "token")


AnyCaller = Annotated[Caller, Depends(Requires(*EVERYONE))]
PeopleCaller = Annotated[Caller, Depends(Requires(*SEES_PEOPLE))]
SystemCaller = Annotated[Caller, Depends(Requires(Role.CMHT_SYSTEM))]
PharmacistCaller = Annotated[Caller, Depends(Requires(Role.PHARMACIST))]
OperatorCaller = Annotated[Caller, Depends(Requires(Role.OPERATOR))]
AuditorCaller = Annotated[Caller, Depends(Requires(Role.AUDITOR))]
AnyReader = Annotated[Caller, Depends(RequiresSession(*EVERYONE))]
PharmacistReader = Annotated[Caller, Depends(RequiresSession(Role.PHARMACIST))]
AuditorReader = Annotated[Caller, Depends(RequiresSession(Role.AUDITOR))]
PeopleReader = Annotated[Caller, Depends(RequiresSession(*SEES_PEOPLE))]
