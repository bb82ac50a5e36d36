"""``GET /v1/patients/{patient_id}``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from serving.access import PeopleCaller
from serving.http.etag import NOT_MODIFIED, answer
from serving.identity.ids import PersonId
from serving.people.schemas import Person
from serving.people.service import show_person
from serving.state import Serving

router = APIRouter(tags=["people"])


@router.get("/v1/patients/{patient_id}", response_model=Person, responses=NOT_MODIFIED)
async def person(request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId) -> Response:
    """One person: current risks with all their parts, trend, reasons, care gaps and reviews."""
    audit = service.audit_for(caller, request)
    return answer(request, await service.reads.run(show_person, service.database, caller, audit, patient_id))
