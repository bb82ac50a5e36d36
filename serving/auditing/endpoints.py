"""``POST /v1/patients/{patient_id}/emergency-access``; for the auditor ``GET /v1/audit/events`` and ``GET
/v1/audit/emergency-access``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from serving.access import AuditorCaller, GuardedRoute, PharmacistCaller
from serving.auditing.repository import Asked
from serving.auditing.schemas import AuditEvents, Emergencies, Emergency, EmergencyIn
from serving.auditing.service import list_emergencies, list_events, open_in_emergency
from serving.identity.ids import LocalId, PersonId
from serving.state import Serving

router = APIRouter(tags=["audit"], route_class=GuardedRoute)
Limit = Annotated[int, Query(ge=1, le=500)]
PLAIN = r"^[^\x00-\x1f\x7f]*$"
Actor = Annotated[str | None, Query(max_length=64, pattern=PLAIN)]
Action = Annotated[str | None, Query(max_length=64, pattern=PLAIN)]
About = Annotated[LocalId | None, Query(max_length=200, description="events that name this person")]
On = Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", description="events of this day (UTC)")]
Before = Annotated[int | None, Query(ge=1, le=2_000_000_000)]


@router.post("/v1/patients/{patient_id}/emergency-access", status_code=201)
async def emergency(
    request: Request, caller: PharmacistCaller, service: Serving, patient_id: PersonId, body: EmergencyIn
) -> Emergency:
    """Open one person of another team for an hour, with a reason. The auditor sees it at once."""
    audit = service.audit_for(caller, request)
    found = await service.reads.run(
        open_in_emergency,
        service.database,
        caller,
        audit,
        patient_id,
        body.reason,
        most_an_hour=service.settings.emergencies_per_hour,
    )
    service.metrics.emergency()
    return found


@router.get("/v1/audit/emergency-access")
async def emergencies(request: Request, caller: AuditorCaller, service: Serving, limit: Limit = 100) -> Emergencies:
    """Lists who opened whom beyond their team, why and until when."""
    return await service.reads.run(list_emergencies, service.database, service.audit_for(caller, request), limit)


@router.get("/v1/audit/events")
async def events(
    request: Request,
    caller: AuditorCaller,
    service: Serving,
    actor: Actor = None,
    action: Action = None,
    patient_id: About = None,
    on: On = None,
    before: Before = None,
    limit: Limit = 100,
) -> AuditEvents:
    """Lists who saw whom, when, why and with which model, newest first. Reading the log is itself recorded in it."""
    audit = service.audit_for(caller, request)
    asked = Asked(actor, action, patient_id, on, before)
    return await service.reads.run(list_events, service.database, audit, asked, limit)
