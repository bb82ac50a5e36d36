"""``POST /v1/scores``."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request

from serving.context import Serving
from serving.scoring.schemas import ScoresAnswer, ScoresRequest
from serving.scoring.service import score_request
from serving.security.requests import SystemCaller

router = APIRouter(tags=["scoring"])


@router.post("/v1/scores")
async def score(request: Request, body: ScoresRequest, caller: SystemCaller, service: Serving) -> ScoresAnswer:
    """Score people from the histories sent along: risks with all their parts, reasons, care gaps, flags.

    For a CMHT system. Nothing is stored except an audit event naming the people.
    """
    model = service.live.current
    audit = service.audit_for(caller, request)
    answer = await service.scoring.run(score_request, model, body, dt.date.today(), audit)
    service.metrics.scored(answer.model.bundle_id, len(answer.people))
    return answer
