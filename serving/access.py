"""Access to routes by typed dependency: ``caller: Annotated[Caller, Depends(Requires(Role.PHARMACIST))]``.

The JSON routes take a bearer token only and the pages a session cookie only, so a page cannot be tricked into sending
a JSON request for somebody.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, params
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.responses import Response

from serving.http.bodies import allow, require_json
from serving.http.json_reading import NamedTwice, StrictRequest
from serving.http.problems import Problem, forbidden, unauthorised
from serving.identity.callers import EVERYONE, SEES_PEOPLE, Caller, Role
from serving.security.client_tokens import ClientToken, UsedBefore, is_spent, spend
from serving.security.oidc import KeysUnavailable, Refused, identity_unavailable
from serving.security.tokens import (
    PREFIX,
    REMEMBERED,
    SESSION_HOURS,
    digest,
    end_session,
    form_token,
    session_caller,
    token_caller,
)
from serving.state import Service, address_of, base_url_of, service_of
from serving.storage.database import Database

SESSION_COOKIE = "upstream_session"
MARK_COOKIE = "upstream_session_mark"
"""The hash of the session. It signs nobody in, and unlike the session it is there when another site sends the browser
back: a new sign-in ends the session that it names."""
LARGEST_HOOK = 2_000_000
"""Bytes of one hook request with what it prefetches: twenty times what a person of ten years has."""
LONGEST_SECRET = 10_000
"""Longest accepted bearer token or session, in characters. A token of an identity provider has 2,000 to 8,000."""


class Requires(SecurityBase):
    """Admits callers with a live bearer token and one of ``roles``: 401 without a token, 403 for another role."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)
        self.model = BearerModel(description="A token made by `upstream token`.")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Caller:
        if (known := _admitted_before(request, self)) is not None:
            return known
        service, secret = service_of(request), _bearer(request)
        caller = token_caller(service.database.ask_at_once, secret) if secret.startswith(PREFIX) else None
        if caller is None:
            caller = await service.reads.run(_find, service, secret)
        if caller is None:
            spend_as_stranger(request)
            raise unauthorised()
        return admitted(request, service, caller, self)


def _bearer(request: Request) -> str:
    """The token of the request's header. Raises 401 where there is none that could be one."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not 0 < len(secret) <= LONGEST_SECRET:
        spend_as_stranger(request)
        raise unauthorised()
    return secret


class RequiresCdsClient(Requires):
    """Admits systems with a signed token of CDS Hooks for this very address, used for the first time: 401 otherwise.

    Such a system counts as a CMHT system with the teams that its settings name. A token made by ``upstream token``
    opens nothing here, and this token opens nothing else.

    The token is used up before the body is read.
    """

    use: Callable[[Database, ClientToken], bool] = staticmethod(spend)

    def __init__(self) -> None:
        super().__init__(Role.CMHT_SYSTEM)
        self.model = BearerModel(description="A JWT that the client signs for each call (CDS Hooks 2.0).")
        self.scheme_name = "cdsClient"

    async def __call__(self, request: Request) -> Caller:
        if (known := _admitted_before(request, self)) is not None:
            return known
        service, secret = service_of(request), _bearer(request)
        address = base_url_of(request) + request.url.path
        token = await service.reads.run(_client_token, service, secret, address, self.use)
        if token is None:
            spend_as_stranger(request)
            raise unauthorised()
        request.scope["state"]["cds_token"] = token
        allow(request, LARGEST_HOOK)
        return admitted(request, service, token.caller, self)


class RequiresCdsShowing(RequiresCdsClient):
    """The same for a call that shows cards. One transaction uses the token up and records what was shown, because each
    commit waits for the disk. A call that is refused uses its token up as well."""

    use = staticmethod(lambda database, token: not is_spent(database, token))

    async def refuse(self, request: Request, error: Exception) -> None:
        """Uses the token up after a refused call. Raises 401 where another call used it up meanwhile."""
        token: ClientToken | None = request.scope["state"].get("cds_token")
        if isinstance(error, UsedBefore):
            spend_as_stranger(request)
            raise unauthorised()
        if token is not None:
            service = service_of(request)
            await service.reads.run(spend, service.database, token)


class RequiresTextingProvider(Requires):
    """Admits the provider of texts with the bearer token that the settings name for it: 401 otherwise.

    It counts as an operator, who sees no people. This token opens nothing else, and no other token opens this.
    """

    def __init__(self) -> None:
        super().__init__(Role.OPERATOR)
        self.model = BearerModel(description="The token that UPSTREAM_TEXTING names as receive_token.")
        self.scheme_name = "textingProvider"

    async def __call__(self, request: Request) -> Caller:
        if (known := _admitted_before(request, self)) is not None:
            return known
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        service = service_of(request)
        own = service.settings.texting.receive_token
        expected = own.get_secret_value() if own is not None else ""
        right = hmac.compare_digest(secret.strip().encode(), expected.encode())
        if scheme.lower() != "bearer" or not expected or not right:
            spend_as_stranger(request)
            raise unauthorised()
        allow(request, LARGEST_HOOK)
        caller = Caller("texting-provider", Role.OPERATOR, frozenset(), "Texting provider")
        request.scope["state"].update(role=caller.role.value, caller=caller, admitted=(self, caller))
        service.rates.systems.spend(caller.token_id)
        return caller


class RequiresNhsNotify(Requires):
    """Admits callbacks of NHS Notify by the key in ``x-api-key``: 401 otherwise. The endpoint checks the signature of
    the body. It counts as an operator, who sees no people."""

    def __init__(self) -> None:
        super().__init__(Role.OPERATOR)
        self.model = APIKey.model_validate(
            {"in": APIKeyIn.header, "name": "x-api-key", "description": "The callback key of NHS Notify."}
        )
        self.scheme_name = "nhsNotify"

    async def __call__(self, request: Request) -> Caller:
        if (known := _admitted_before(request, self)) is not None:
            return known
        service = service_of(request)
        account = service.settings.texting.nhs_notify if service.settings.texting.provider == "nhs_notify" else None
        expected = account.callback_api_key.get_secret_value() if account is not None else ""
        right = hmac.compare_digest(request.headers.get("x-api-key", "").strip().encode(), expected.encode())
        if not expected or not right:
            spend_as_stranger(request)
            raise unauthorised()
        allow(request, LARGEST_HOOK)
        caller = Caller("nhs-notify", Role.OPERATOR, frozenset(), "NHS Notify")
        request.scope["state"].update(role=caller.role.value, caller=caller, admitted=(self, caller))
        service.rates.systems.spend(caller.token_id)
        return caller


def _client_token(
    service: Service, secret: str, audience: str, use: Callable[[Database, ClientToken], bool]
) -> ClientToken | None:
    """A client's token, put to ``use``; None for one that does not hold or was used before."""
    try:
        token = service.cds_clients.verified(secret, audience)
    except Refused:
        return None
    except KeysUnavailable:
        raise identity_unavailable() from None
    return token if use(service.database, token) else None


def spend_as_stranger(request: Request) -> None:
    """Counts a request without valid credentials against its address. Raises 429."""
    service = service_of(request)
    service.rates.strangers.spend(address_of(request, service.settings))


async def as_stranger(request: Request) -> None:
    """The same before every request to a door that takes no credentials."""
    spend_as_stranger(request)


class SignInNeeded(Exception):
    """A page was requested without a live session."""


class RequiresSession:
    """Admits browsers with a live session and one of ``roles``. Others go to the sign-in page, or get 403."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        secret = request.cookies.get(SESSION_COOKIE, "")
        service = service_of(request)
        idle = dt.timedelta(minutes=service.settings.session_idle_minutes)
        if (known := _admitted_before(request, self)) is not None:
            return known
        if not 0 < len(secret) <= LONGEST_SECRET:
            raise SignInNeeded
        caller = await service.reads.run(session_caller, service.database, secret, idle)
        if caller is None:
            spend_as_stranger(request)
            raise SignInNeeded
        return admitted(request, service, caller, self)


def set_session_cookie(answer: Response, secret: str, *, secure: bool) -> None:
    """Sets the session cookie: scripts cannot read it, only our own pages send it, and over https if pages use
    https. Its mark goes along.
    """
    # Longer than the session: what a form holds when a session has ended is kept for the person who wrote it.
    lasts = SESSION_HOURS * 3600 + int(REMEMBERED.total_seconds())
    answer.set_cookie(SESSION_COOKIE, secret, max_age=lasts, httponly=True, samesite="strict", secure=secure)
    answer.set_cookie(MARK_COOKIE, digest(secret), max_age=lasts, httponly=True, samesite="lax", secure=secure)


def end_replaced_session(request: Request, database: Database) -> None:
    """Ends the session that this browser still holds, because somebody has signed in anew."""
    held = request.cookies.get(SESSION_COOKIE, "")
    end_session(database, digest(held) if held else request.cookies.get(MARK_COOKIE, ""))


def is_own_form(request: Request, proof: str) -> bool:
    """The form came from a page of this session."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    return bool(secret) and hmac.compare_digest(proof.encode(), form_token(secret).encode())


def require_own_form(request: Request, proof: str) -> None:
    """403 unless the form came from a page of this session."""
    if not is_own_form(request, proof):
        raise Problem(
            403,
            "foreign-origin",
            "Forms are accepted from pages of this sign-in only. Open the page again and send the form from there.",
        )


def admitted(request: Request, service: Service, caller: Caller, guard: Requires | RequiresSession) -> Caller:
    """The caller, if it has requests left (429) and holds one of the roles (403)."""
    request.scope["state"]["role"] = caller.role.value
    request.scope["state"]["caller"] = caller
    service.rates.spend(caller)
    if caller.role not in guard.roles:
        raise forbidden()
    request.scope["state"]["admitted"] = (guard, caller)
    return caller


def _admitted_before(request: Request, guard: Requires | RequiresSession) -> Caller | None:
    """The caller that this same guard has already admitted for this same request."""
    by, caller = request.scope["state"].get("admitted", (None, None))
    return caller if by is guard else None


class GuardedRoute(APIRoute):
    """A route that checks the caller before it reads the body. The framework by default reads and parses the body
    first.

    Every router uses it (``APIRouter(route_class=GuardedRoute)``), otherwise routes with a body are refused at start.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        calls = [dependency.call for dependency in self.dependant.dependencies]
        guards = [call for call in calls if isinstance(call, Requires | RequiresSession)]
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, params.Form)

        async def guarded(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            try:
                if takes_json:
                    require_json(request)
                return await handle(StrictRequest(request.scope, request.receive) if takes_json else request)
            except Exception as error:
                for guard in guards:
                    if isinstance(guard, RequiresCdsShowing):
                        await guard.refuse(request, error)
                if isinstance(twice := error.__cause__, NamedTwice):
                    fault = {"type": "named_twice", "loc": ("body", twice.name)}
                    raise RequestValidationError([fault]) from None
                raise

        return guarded


def _find(service: Service, secret: str) -> Caller | None:
    if service.issuers and not secret.startswith(PREFIX):
        with service.database.read() as connection:
            return service.issuers.caller(secret, connection, dt.datetime.now(dt.UTC).date())
    return token_caller(service.database.ask, secret)


AnyCaller = Annotated[Caller, Depends(Requires(*EVERYONE))]
PeopleCaller = Annotated[Caller, Depends(Requires(*SEES_PEOPLE))]
SystemCaller = Annotated[Caller, Depends(Requires(Role.CMHT_SYSTEM))]
PharmacistCaller = Annotated[Caller, Depends(Requires(Role.PHARMACIST))]
OperatorCaller = Annotated[Caller, Depends(Requires(Role.OPERATOR))]
AuditorCaller = Annotated[Caller, Depends(Requires(Role.AUDITOR))]
CdsCaller = Annotated[Caller, Depends(RequiresCdsClient())]
CdsCardsCaller = Annotated[Caller, Depends(RequiresCdsShowing())]
AnyReader = Annotated[Caller, Depends(RequiresSession(*EVERYONE))]
PharmacistReader = Annotated[Caller, Depends(RequiresSession(Role.PHARMACIST))]
AuditorReader = Annotated[Caller, Depends(RequiresSession(Role.AUDITOR))]
ModelOwnerReader = Annotated[Caller, Depends(RequiresSession(Role.DATA_SCIENTIST, Role.OPERATOR))]
"""The team that owns the model: data scientists, and the operator who keeps the service."""
PeopleReader = Annotated[Caller, Depends(RequiresSession(*SEES_PEOPLE))]
