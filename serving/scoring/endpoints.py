"""``POST /v1/scores``."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext, suppress
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import WithJsonSchema
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from models import RiskModel
from serving.access import GuardedRoute, SystemCaller
from serving.auditlog.log import Audit
from serving.http.bodies import allow, allow_stream, is_large, json_body, require_lines
from serving.http.problems import Problem, unavailable
from serving.http.types import Day
from serving.scoring.elsewhere import NotDone, answered_elsewhere
from serving.scoring.reading import Unreadable, read_scores
from serving.scoring.schemas import Parts, ScoresAnswer, ScoresRequest, known_names
from serving.scoring.service import Answered, score_request, without_nhs_numbers
from serving.scoring.streaming import Streaming
from serving.state import Service, Serving, service_of

SCORES = "/v1/scores"
PLAINLY_ASKED = {b"": Parts.CONCEPTS, **{b"contributions=%s" % part.value.encode(): part for part in Parts}}
"""Query strings that need no reader. Any other is read, or refused, by the framework."""
router = APIRouter(tags=["scoring"], route_class=GuardedRoute)
_SCHEMA = ScoresRequest.model_json_schema(ref_template="#/components/schemas/{model}")
BODIES: dict[str, Any] = {**_SCHEMA.pop("$defs"), "ScoresRequest": _SCHEMA}
"""Schemas of the body for the OpenAPI document, because the framework does not read this body and so does not
describe it.
"""
NDJSON = "application/x-ndjson"
NAMES = known_names()
DayAsked = Annotated[Day | None, Query(description="the day of the scores; today, if left out")]
PartsAsked = Annotated[
    Parts,
    # Written out: OpenAPI Generator loses the type of a parameter that is a reference with a default beside it.
    WithJsonSchema({"type": "string", "enum": [part.value for part in Parts]}),
    Query(description="how finely each risk is split; the default keeps answers small"),
]
_BODY = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ScoresRequest"}}}}


@router.post(SCORES, response_model=ScoresAnswer, openapi_extra={"requestBody": _BODY})
async def score(
    request: Request, caller: SystemCaller, service: Serving, contributions: PartsAsked = Parts.CONCEPTS
) -> Response:
    """Score people from the histories in the request: risks with all their parts, reasons, care gaps, flags.

    For a CMHT system. Nothing is stored except an audit event naming the people.
    """
    allow(request, service.settings.max_body_bytes)
    async with service.large.take() if is_large(request) else nullcontext():
        body = await json_body(request)
        model, audit = service.live.current, service.audit_for(caller, request)
        answer = await service.scoring.run(_answer, service, body, model, dt.date.today(), audit, contributions)
        del body
    if not isinstance(answer, Answered):
        raise RequestValidationError(answer)
    service.metrics.scored(answer.bundle_id, answer.people)
    return Response(answer.body, media_type="application/json")


class PlainScores:
    """Answers ``score`` where the address asks for nothing, or for one of the parts by its name, before the framework
    looks for a route: finding the route, and what the guard had found already, took a tenth of the time of an answer.
    ``app`` answers every other request."""

    path = SCORES

    def __init__(self, app: ASGIApp) -> None:
        # The guard that the route declares, so that both admit the same callers.
        self.app, self._guard = app, get_args(SystemCaller)[1].dependency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == SCORES and scope["method"] == "POST"
        parts = PLAINLY_ASKED.get(scope["query_string"]) if asked else None
        if parts is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = self
        request = Request(scope, receive, send)
        answer = await score(request, await self._guard(request), service_of(request), parts)
        await answer(scope, receive, send)


class NdjsonResponse(StreamingResponse):
    """Lines that are made while the body of the request still comes in.

    The framework's own response waits for the client to go by reading the request, and would take the body's parts.
    """

    media_type = NDJSON

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await self.stream_response(send)


_LINES = {"required": True, "content": {NDJSON: {"schema": {"description": "one PersonIn a line"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a line that names the model, then a line for each that was sent: person, not_scored or error",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/v1/scores/stream",
    response_class=NdjsonResponse,
    responses=_ANSWERS,
    openapi_extra={"requestBody": _LINES},
)
async def stream(
    request: Request,
    caller: SystemCaller,
    service: Serving,
    as_of: DayAsked = None,
    contributions: PartsAsked = Parts.CONCEPTS,
) -> Response:
    """Score any number of people: one a line in, one a line out, in the same order. Read while you send.

    A line that cannot be read is answered by a line that says what is wrong with it; the others are scored.
    """
    require_lines(request)
    today, model = dt.date.today(), service.live.current
    if model is None:
        raise unavailable("no-model", "No verified model is loaded; see /readyz.", 30)
    if (as_of or today) > today:
        raise Problem(422, "as-of-in-the-future", "as_of lies in the future; ask for today or an earlier day.")
    allow_stream(request)
    audit = service.audit_for(caller, request)
    streaming = Streaming(service, model, audit, as_of or today, today, contributions, NAMES)
    return NdjsonResponse(streaming.answer(request))


def _answer(
    service: Service, body: bytes, model: RiskModel | None, today: dt.date, audit: Audit, parts: Parts
) -> Answered | list[dict[str, Any]]:
    """The answer to a body, or its faults. Faults are returned, not raised, because an exception would keep the body
    in memory.
    """
    if service.processes is not None and model is not None:
        with suppress(NotDone):
            return answered_elsewhere(service.processes, model, body, today, audit, parts)
    try:
        asked = read_scores(body)
    except Unreadable as error:
        return error.faults
    return score_request(model, without_nhs_numbers(asked, service.nhs_key), today, audit, parts)
