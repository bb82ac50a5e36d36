"""``GET /cds-services``, ``POST /cds-services/{id}`` and ``POST /cds-services/{id}/feedback``."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path, Request

from serving.access import CdsCaller, CdsCardsCaller, GuardedRoute
from serving.cds.catalogue import ORDER_SELECT, PATIENT_VIEW, known, services
from serving.cds.feedback import take_feedback
from serving.cds.order_select import order_select
from serving.cds.patient_view import patient_view
from serving.cds.schemas import CardFeedback, CdsServices, FeedbackTaken, HookCards, OrderSelect, PatientView
from serving.cds.showing import Answering, Reached
from serving.identity.callers import Caller
from serving.security.client_tokens import ClientToken
from serving.settings import CdsClient
from serving.state import Service, Serving, base_url_of

router = APIRouter(tags=["decision support"], route_class=GuardedRoute)
ServiceId = Annotated[str, Path(min_length=1, max_length=64, examples=[PATIENT_VIEW])]


@router.get("/cds-services", response_model_exclude_none=True)
async def discovery(request: Request, caller: CdsCaller) -> CdsServices:
    """The CDS Hooks services, and the prefetch data that each needs."""
    return services(client_of(request).patients)


@router.post(f"/cds-services/{PATIENT_VIEW}", response_model_exclude_none=True)
async def view(request: Request, caller: CdsCardsCaller, service: Serving, body: PatientView) -> HookCards:
    """Cards about the person whose record is opened, from the published list."""
    answering = _answering(request, caller, service, PATIENT_VIEW)
    return await service.reads.run(patient_view, answering, body, client_of(request), service.nhs_key)


@router.post(f"/cds-services/{ORDER_SELECT}", response_model_exclude_none=True)
async def select(request: Request, caller: CdsCardsCaller, service: Serving, body: OrderSelect) -> HookCards:
    """Cards about the selected medicine, from rules only. No data of the request is stored."""
    answering = _answering(request, caller, service, ORDER_SELECT)
    return await service.scoring.run(order_select, answering, body, dt.date.today(), service.settings.dmd_folder)


@router.post("/cds-services/{service_id}/feedback")
async def feedback(
    request: Request, caller: CdsCaller, service: Serving, service_id: ServiceId, body: CardFeedback
) -> FeedbackTaken:
    """Feedback about cards. A repeated entry counts once; free text is counted and not stored."""
    known(service_id)
    audit = service.audit_for(caller, request)
    return await service.reads.run(take_feedback, service.database, caller, audit, service_id, body)


def client_of(request: Request) -> CdsClient:
    """The settings of the client that the guard admitted."""
    return _token(request).client


def _token(request: Request) -> ClientToken:
    token: ClientToken = request.scope["state"]["cds_token"]
    return token


def _answering(request: Request, caller: Caller, service: Service, service_id: str) -> Answering:
    audit = service.audit_for(caller, request)
    reached = Reached(base_url_of(request), smart=bool(service.settings.smart))
    return Answering(service.database, caller, audit, reached, service_id, token=_token(request))
