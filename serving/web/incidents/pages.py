"""``/incidents``: anybody signed in reports an incident in closed codes; auditor and operator read the
reports.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from features.records.reading.nhs_numbers import looks_like_one, without_numbers
from serving.access import AnyReader, GuardedRoute, require_own_form
from serving.auditing.incidents import HARMS, KINDS, READ_BY, PersonNotVisible, list_incidents, report_incident
from serving.state import Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
NOT_SEEN = "You see nobody with that number: check it, or leave it empty"
NO_NUMBER = "That is not a person's number in Upstream: enter the number alone, or leave it empty"
LONGEST_ID = 200


@router.get("/incidents")
async def incidents_page(
    request: Request,
    caller: AnyReader,
    service: Serving,
    sent: Annotated[str, Query(max_length=12, pattern=r"^(I-[0-9a-f]{8})?$")] = "",
) -> Response:
    """The form, and below it what was reported, for those who read it."""
    return await _shown(request, caller, service, sent=sent)


@router.post("/incidents")
async def incidents_form(
    request: Request,
    caller: AnyReader,
    service: Serving,
    proof: Annotated[str, Form(max_length=128)] = "",
    kind: Annotated[str, Form()] = "",
    harm: Annotated[str, Form()] = "",
    patient_id: Annotated[str, Form()] = "",
) -> Response:
    """Records the report and shows its reference. Faults are shown on the form, which keeps the other answers; a number
    that is none, or holds an NHS number, is not repeated.
    """
    require_own_form(request, proof)
    patient_id = patient_id.strip()
    wrong = {}
    if kind not in KINDS:
        wrong["kind"] = "Choose what happened"
    if harm not in HARMS:
        wrong["harm"] = "Choose the harm"
    if looks_like_one(patient_id) or without_numbers(patient_id) != patient_id:
        patient_id = ""
        wrong["patient_id"] = "That is an NHS number: enter the person's number in Upstream instead"
    elif len(patient_id) > LONGEST_ID or not patient_id.isprintable():
        patient_id = ""
        wrong["patient_id"] = NO_NUMBER
    reference = ""
    if not wrong:
        audit = service.audit_for(caller, request)
        try:
            reference = await service.reads.run(
                report_incident, service.database, caller, audit, kind, harm, patient_id
            )
        except PersonNotVisible:
            wrong["patient_id"] = NOT_SEEN
    if wrong:
        return await _shown(request, caller, service, wrong=wrong, kind=kind, harm=harm, patient_id=patient_id)
    return RedirectResponse(f"/incidents?{urlencode({'sent': reference})}", 303)


async def _shown(
    request: Request, caller: Any, service: Any, *, wrong: dict[str, str] | None = None, **kept: Any
) -> Response:
    reads = caller.role in READ_BY
    audit = service.audit_for(caller, request)
    found = await service.reads.run(list_incidents, service.database, caller, audit) if reads else []
    return page(
        request,
        "incidents.html",
        surroundings=around(request, caller),
        status=422 if wrong else 200,
        kinds=KINDS,
        harms=HARMS,
        reads=reads,
        incidents=found,
        wrong=wrong or {},
        **kept,
    )
