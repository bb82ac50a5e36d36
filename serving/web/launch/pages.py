"""``/launch`` and ``/launch/back``: from a records system to the person's page, under the user's own rights."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from serving.access import as_stranger, end_replaced_session, set_session_cookie
from serving.http.problems import request_id_of
from serving.security import smart_flow
from serving.security.code_flow import MINUTES, NoRole
from serving.security.smart_flow import BACK
from serving.state import Service, Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, dependencies=[Depends(as_stranger)])
COOKIE = "upstream_launch"


@router.get("/launch")
async def launch(
    service: Serving,
    iss: Annotated[str, Query(max_length=300)] = "",
    launch: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Send the browser to the records system that it comes from, to say who looks and at whom."""
    settings = service.settings
    begun = await service.reads.run(
        smart_flow.begin, service.database, settings.smart, settings.public_url, iss, launch
    )
    answer = RedirectResponse(begun.address, 303)
    answer.set_cookie(
        COOKIE,
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
) -> Response:
    """The record's answer. A session and the way to the person, or a page that says why not."""
    try:
        launched = await service.reads.run(
            smart_flow.finish,
            service.database,
            service.issuers,
            service.settings.smart,
            service.settings.public_url,
            request_id_of(request.scope),
            service.nhs_key,
            state=state,
            code="" if error else code,
            browser=request.cookies.get(COOKIE, ""),
        )
    except NoRole as known:
        return _forget(service, page(request, "no_role.html", surroundings=around(request), status=403, known=known))
    await service.reads.run(end_replaced_session, request, service.database)
    to = f"/patients/{quote(launched.patient_id, safe='')}" if launched.patient_id else "/"
    answer = page(request, "signed_in.html", surroundings=around(request), next=to)
    set_session_cookie(answer, launched.secret, secure=service.settings.is_https)
    return _forget(service, answer)


def _forget(service: Service, answer: Response) -> Response:
    answer.delete_cookie(COOKIE, path=BACK, httponly=True, samesite="lax", secure=service.settings.is_https)
    return answer
