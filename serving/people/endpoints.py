"""``GET /v1/patients/{patient_id}``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from serving.conditional import NOT_MODIFIED, answer
from serving.context import Serving
from serving.people.ids import LocalId
from serving.people.schemas import Person
from serving.people.service import show_person
from serving.security.requests import PeopleCaller

router = APIRouter(tags=["people"])

PersonId = Annotated[LocalId, Path(min_length=1, max_length=200)]


@router.get("/v1/patients/{patient_id}", response_model=Person, responses=NOT_MODIFIED)
async def person(request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId) -> Response:
    """One person: current risks with all their parts, trend, reasons, care gaps and reviews."""
    audit = service.audit_for(caller, request)
    return answer(request, await service.reads.run(show_person, service.database, caller, audit, patient_id))
