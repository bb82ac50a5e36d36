"""``POST /v1/scores``."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response

from features.records.nhs_numbers import NhsKey
from serving.access import SystemCaller
from serving.http.problems import Problem
from serving.scoring.schemas import ScoresAnswer, ScoresRequest
from serving.scoring.service import score_request
from serving.state import Serving

router = APIRouter(tags=["scoring"])


@router.post("/v1/scores", response_model=ScoresAnswer)
async def score(request: Request, body: ScoresRequest, caller: SystemCaller, service: Serving) -> Response:
    """Score people from the histories sent along: risks with all their parts, reasons, care gaps, flags.

    For a CMHT system. Nothing is stored except an audit event naming the people.
    """
    model, body = service.live.current, without_nhs_numbers(body, service.nhs_key)
    audit = service.audit_for(caller, request)
    answer = await service.scoring.run(score_request, model, body, dt.date.today(), audit)
    service.metrics.scored(answer.bundle_id, answer.people)
    return Response(answer.body, media_type="application/json")


def without_nhs_numbers(body: ScoresRequest, key: NhsKey | None) -> ScoresRequest:
    """The request with pseudonyms for NHS numbers, before anything else sees it. 422 where it has some and there is no
    key."""
    if all(person.nhs_number is None for person in body.people):
        return body
    if key is None:
        raise Problem(
            422,
            "no-nhs-key",
            "This service holds no key for NHS numbers (UPSTREAM_NHS_KEY_FILE). Send local pseudonyms.",
        )
    return body.model_copy(update={"people": [person.pseudonymised(key) for person in body.people]})
