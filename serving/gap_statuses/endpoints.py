"""``POST /v1/patients/{patient_id}/gaps/{code}/status`` and ``GET /v1/patients/{patient_id}/gap-statuses``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from serving.access import GuardedRoute, PeopleCaller
from serving.gap_statuses.schemas import GapStatus, GapStatuses, StatusIn
from serving.gap_statuses.service import set_status, status_history
from serving.identity.ids import PersonId
from serving.state import Serving

router = APIRouter(tags=["gaps"], route_class=GuardedRoute)

GapCode = Annotated[str, Path(pattern=r"^[A-Z][A-Z0-9_]{2,63}$", description="the code of a gap")]


@router.post("/v1/patients/{patient_id}/gaps/{code}/status", status_code=201)
async def change(
    request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId, code: GapCode, body: StatusIn
) -> GapStatus:
    """Say that somebody is on a gap, that it is booked, does not apply or is done; or take that back.

    The newest status counts. It ends at its date, by a later one, or by new evidence, and after seven days at most
    where the gap is critical.
    """
    audit = service.audit_for(caller, request)
    return await service.reads.run(set_status, service.database, caller, audit, patient_id, code, body)


@router.get("/v1/patients/{patient_id}/gap-statuses")
async def history(request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId) -> GapStatuses:
    """Every status of a person's gaps, newest first."""
    audit = service.audit_for(caller, request)
    return await service.reads.run(status_history, service.database, caller, audit, patient_id)
