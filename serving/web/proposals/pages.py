"""The page of a person's proposals (FHIR Task and ServiceRequest), on which somebody accepts them. A program cannot."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from serving.access import GuardedRoute, PeopleReader, require_own_form
from serving.fhir.resources import TESTS_FOR
from serving.fhir.service import proposals_of
from serving.gap_statuses.schemas import MOST_DAYS, MOST_DAYS_CRITICAL, Status, StatusIn
from serving.gap_statuses.service import set_status
from serving.http.problems import not_found
from serving.identity.ids import PersonId
from serving.scoring.schemas import CareGap
from serving.state import Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
Code = Annotated[str, Query(max_length=64)]


class AcceptedProposal(BaseModel):
    """The form as it was sent: the gap whose proposal is accepted."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    code: str = Field(default="", max_length=64)


def days_held(severity: str) -> int:
    """How many days an accepted proposal holds before the gap counts as open again: the most that a page lets
    somebody acknowledge a gap of this severity for."""
    return MOST_DAYS_CRITICAL if severity == "critical" else MOST_DAYS[Status.ACKNOWLEDGED]


@router.get("/patients/{patient_id}/proposals")
async def proposals(
    request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId, accepted: Code = ""
) -> Response:
    """What is proposed for a person, and the answers to it."""
    audit = service.page_audit_for(caller, request)
    run, found = await service.reads.run(proposals_of, service.database, caller, audit, patient_id)
    return page(
        request,
        "proposals.html",
        surroundings=around(request, caller, run),
        patient_id=patient_id,
        run=run,
        proposals=[(CareGap.model_validate(issue.gap), issue) for issue in found],
        tests=TESTS_FOR,
        days_held=days_held,
        accepted=any(issue.gap["code"] == accepted for issue in found),
    )


@router.post("/patients/{patient_id}/proposals")
async def accept(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    sent: Annotated[AcceptedProposal, Form()],
) -> Response:
    """Accept a proposal: the gap is acknowledged in the name of the person who accepts it, and the Task says so."""
    require_own_form(request, sent.proof)
    audit = service.audit_for(caller, request)
    _, found = await service.reads.run(proposals_of, service.database, caller, audit, patient_id)
    gap = next((issue.gap for issue in found if issue.gap["code"] == sent.code), None)
    if gap is None:
        raise not_found()
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days_held(gap["severity"]))
    status = StatusIn(status=Status.ACKNOWLEDGED, until=until)
    await service.reads.run(set_status, service.database, caller, audit, patient_id, sent.code, status)
    query = urlencode({"accepted": sent.code})
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}/proposals?{query}", 303)
