"""``/rating``: a pharmacist rates the cases of a silent trial that are of their teams. The page knows no risk and no
place.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from models.blind_rating import HIGHEST
from serving.access import GuardedRoute, PharmacistReader, require_own_form
from serving.auditing.case_ratings import CaseNotVisible, own_cases, rate_case
from serving.state import Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
WORTH = "Choose a whole number from 0 to 10"
KNOWN = "Choose yes or no"
NO_CASE = "This case is not one of yours any more: rate the one below"


@router.get("/rating")
async def rating_page(
    request: Request,
    caller: PharmacistReader,
    service: Serving,
    case: Annotated[int | None, Query(ge=1, le=999)] = None,
) -> Response:
    """The next case without an answer, or the one asked for, and the state of the others."""
    return await _shown(request, caller, service, case)


@router.post("/rating")
async def rating_form(
    request: Request,
    caller: PharmacistReader,
    service: Serving,
    proof: Annotated[str, Form(max_length=128)] = "",
    case: Annotated[str, Form(max_length=3)] = "",
    worth: Annotated[str, Form(max_length=3)] = "",
    known: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Records one rating and shows the next case. Faults are shown on the form."""
    require_own_form(request, proof)
    number = int(case) if case.isascii() and case.isdigit() else 0
    wrong = {}
    if not (worth.isascii() and worth.isdigit() and int(worth) <= HIGHEST):
        wrong["worth"] = WORTH
    if known not in ("yes", "no"):
        wrong["known"] = KNOWN
    if not wrong:
        audit = service.audit_for(caller, request)
        try:
            await service.reads.run(rate_case, service.settings.home, caller, audit, number, int(worth), known == "yes")
        except CaseNotVisible:
            wrong["case"] = NO_CASE
    if wrong:
        return await _shown(request, caller, service, number, wrong=wrong, worth=worth, known=known)
    return RedirectResponse("/rating", 303)


async def _shown(
    request: Request,
    caller: Any,
    service: Any,
    number: int | None,
    *,
    wrong: dict[str, str] | None = None,
    worth: str = "",
    known: str = "",
) -> Response:
    audit = service.audit_for(caller, request)
    cases = await service.reads.run(own_cases, service.database, service.settings.home, caller, audit)
    asked = next((one for one in cases if one.case.number == number), None)
    current = asked or next((one for one in cases if one.worth is None), None)
    if current is not None and not wrong and current.worth is not None:
        worth, known = str(current.worth), "yes" if current.known else "no"
    return page(
        request,
        "rating.html",
        surroundings=around(request, caller),
        status=422 if wrong else 200,
        cases=cases,
        current=current,
        left=sum(one.worth is None for one in cases),
        highest=HIGHEST,
        wrong=wrong or {},
        worth=worth,
        known=known,
    )
