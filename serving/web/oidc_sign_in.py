"""Sign-in to the pages at an identity provider: the way there, the way back, and the page for somebody without a
role."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from serving.access import as_stranger, end_replaced_session, set_session_cookie
from serving.http.problems import not_found, request_id_of
from serving.security import code_flow
from serving.security.code_flow import BACK, MINUTES, NoRole
from serving.security.tokens import session_person
from serving.state import Service, Serving
from serving.web import after_sign_in
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, dependencies=[Depends(as_stranger)])

UNDER_WAY_COOKIE = "upstream_sign_in"


@router.get("/sign-in/with/{place}")
async def leave(service: Serving, place: Annotated[int, Path(ge=0, le=99)]) -> Response:
    """Send the browser to a provider. A link, not a form: the policy of our pages lets forms go nowhere else."""
    providers = service.issuers.with_sign_in
    if place >= len(providers):
        raise not_found()
    settings = service.settings
    begun = await service.reads.run(code_flow.begin, service.database, providers[place], settings.public_url)
    answer = RedirectResponse(begun.address, 303)
    # Lax, unlike the session: this one must come along when the provider sends the browser back.
    answer.set_cookie(
        UNDER_WAY_COOKIE,
        begun.browser,
        max_age=MINUTES * 60,
        path=BACK,
        httponly=True,
        samesite="lax",
        secure=settings.is_https,
    )
    return answer


@router.get(BACK)
async def come_back(
    request: Request,
    service: Serving,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
    iss: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """The provider's answer. A session, or a page that says why not; either way this answer is used up."""
    try:
        secret = await service.reads.run(
            code_flow.finish,
            service.database,
            service.issuers,
            service.settings.public_url,
            request_id_of(request.scope),
            state=state,
            code="" if error else code,
            browser=request.cookies.get(UNDER_WAY_COOKIE, ""),
            claimed_issuer=iss,
        )
    except NoRole as known:
        return _forget(service, page(request, "no_role.html", surroundings=around(request), status=403, known=known))
    await service.reads.run(end_replaced_session, request, service.database)
    caller = await service.reads.run(session_person, service.database, secret)
    # The browser came here from another site, and a strict cookie does not follow a redirect of that journey: the page
    # says where to go, and the next request is our own.
    wanted = after_sign_in.next_page(request, caller)
    answer = after_sign_in.forget(request, page(request, "signed_in.html", surroundings=around(request), next=wanted))
    set_session_cookie(answer, secret, secure=service.settings.is_https)
    return _forget(service, answer)


def _forget(service: Service, answer: Response) -> Response:
    answer.delete_cookie(UNDER_WAY_COOKIE, path=BACK, httponly=True, samesite="lax", secure=service.settings.is_https)
    return answer
