"""``POST /v1/scores``."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError

from features.records.nhs_numbers import NhsKey
from models import RiskModel
from serving.access import GuardedRoute, SystemCaller
from serving.auditlog.log import Audit
from serving.http.bodies import allow, is_large, json_body
from serving.http.problems import Problem
from serving.scoring.reading import Unreadable, read_scores
from serving.scoring.schemas import ScoresAnswer, ScoresRequest
from serving.scoring.service import Answered, score_request
from serving.state import Serving

router = APIRouter(tags=["scoring"], route_class=GuardedRoute)
_SCHEMA = ScoresRequest.model_json_schema(ref_template="#/components/schemas/{model}")
BODIES: dict[str, Any] = {**_SCHEMA.pop("$defs"), "ScoresRequest": _SCHEMA}
"""Schemas of the body for the OpenAPI document, because the framework does not read this body and so does not
describe it.
"""
_BODY = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ScoresRequest"}}}}


@router.post("/v1/scores", response_model=ScoresAnswer, openapi_extra={"requestBody": _BODY})
async def score(request: Request, caller: SystemCaller, service: Serving) -> Response:
    """Score people from the histories in the request: risks with all their parts, reasons, care gaps, flags.

    For a CMHT system. Nothing is stored except an audit event naming the people.
    """
    allow(request, service.settings.max_body_bytes)
    async with service.large.take() if is_large(request) else nullcontext():
        body = await json_body(request)
        model, audit, key = service.live.current, service.audit_for(caller, request), service.nhs_key
        answer = await service.scoring.run(_answer, body, key, model, dt.date.today(), audit)
        del body
    if not isinstance(answer, Answered):
        raise RequestValidationError(answer)
    service.metrics.scored(answer.bundle_id, answer.people)
    return Response(answer.body, media_type="application/json")


def _answer(
    body: bytes, key: NhsKey | None, model: RiskModel | None, today: dt.date, audit: Audit
) -> Answered | list[dict[str, Any]]:
    """The answer to a body, or its faults. Faults are returned, not raised, because an exception would keep the body
    in memory.
    """
    try:
        asked = read_scores(body)
    except Unreadable as error:
        return error.faults
    return score_request(model, without_nhs_numbers(asked, key), today, audit)


def without_nhs_numbers(body: ScoresRequest, key: NhsKey | None) -> ScoresRequest:
    """Replaces NHS numbers by pseudonyms before anything else reads the request. 422 if it has some and there is no
    key.
    """
    if all(person.nhs_number is None for person in body.people):
        return body
    if key is None:
        raise Problem(
            422,
            "no-nhs-key",
            "This service holds no key for NHS numbers (UPSTREAM_NHS_KEY_FILE). Send local pseudonyms.",
        )
    return body.model_copy(update={"people": [person.pseudonymised(key) for person in body.people]})
