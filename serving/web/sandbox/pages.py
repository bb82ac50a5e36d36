"""``/sandbox``: what a records system would send when somebody opens a person's record, and the cards it would show.

In the demo alone. It calls what the hook calls, under the rights of the person signed in, and shows request and answer.
"""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serving.access import GuardedRoute, PeopleReader, require_own_form
from serving.cds.catalogue import PATIENT_VIEW
from serving.cds.patient_view import cards_of
from serving.cds.schemas import HookCards
from serving.cds.showing import Answering, Reached
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.identity.ids import LocalId
from serving.state import Service, Serving, base_url_of
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


class SentHook(BaseModel):
    """The form as it was sent: whose record is opened."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    patient_id: Annotated[LocalId, Field(min_length=1, max_length=200)]


@router.get("/sandbox")
async def sandbox(request: Request, caller: PeopleReader, service: Serving) -> Response:
    """The form. 404 outside the demo."""
    return _page(request, caller, service)


@router.post("/sandbox")
async def send(request: Request, caller: PeopleReader, service: Serving, sent: Annotated[SentHook, Form()]) -> Response:
    """The hook, and the cards that it brings."""
    require_own_form(request, sent.proof)
    if service.settings.environment != "demo":
        raise not_found()
    answering = Answering(
        service.database,
        caller,
        service.audit_for(caller, request),
        Reached(base_url_of(request), smart=bool(service.settings.smart)),
        PATIENT_VIEW,
        {"sandbox": True},
    )
    found = await service.reads.run(cards_of, answering, sent.patient_id)
    hook = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/demo", "patientId": sent.patient_id},
    }
    return _page(request, caller, service, sent.patient_id, hook, found)


def _page(
    request: Request,
    caller: Caller,
    service: Service,
    patient_id: str = "",
    hook: dict[str, Any] | None = None,
    found: HookCards | None = None,
) -> Response:
    if service.settings.environment != "demo":
        raise not_found()
    return page(
        request,
        "sandbox.html",
        surroundings=around(request, caller),
        patient_id=patient_id,
        address=f"{base_url_of(request)}/cds-services/{PATIENT_VIEW}",
        hook=json.dumps(hook, indent=2) if hook else "",
        cards=found.cards if found else None,
        answer=found.model_dump_json(indent=2, exclude_none=True) if found else "",
    )
