"""``GET`` and ``POST /v1/patients/{patient_id}/work``."""

from __future__ import annotations

from fastapi import APIRouter, Request

from serving.access import GuardedRoute, PeopleCaller
from serving.identity.ids import PersonId
from serving.state import Serving
from serving.work.schemas import Work, WorkIn, WorkItem
from serving.work.service import set_work, show_work

router = APIRouter(tags=["work"], route_class=GuardedRoute)


@router.get("/v1/patients/{patient_id}/work")
async def work(request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId) -> Work:
    """Who of the team has a person, what to know, and which colleagues could have them."""
    audit = service.audit_for(caller, request)
    return await service.reads.run(show_work, service.database, caller, audit, patient_id)


@router.post("/v1/patients/{patient_id}/work", status_code=201)
async def change(
    request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId, body: WorkIn
) -> WorkItem:
    """Give a person to a colleague of their team, hand them over, or mark them for this week. The newest word counts;
    earlier ones stay."""
    audit = service.audit_for(caller, request)
    return await service.reads.run(set_work, service.database, caller, audit, patient_id, body)
