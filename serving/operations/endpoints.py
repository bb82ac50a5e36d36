"""``/livez``, ``/readyz``, ``/version``, ``/metrics``, ``/v1/model`` and ``/v1/model/card``. None holds anything about
people; the first three answer anybody."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Response
from starlette.responses import PlainTextResponse

from serving.access import AnyCaller, OperatorCaller
from serving.observability.metrics import CONTENT_TYPE, text_of
from serving.operations import service as rules
from serving.operations.monitoring import Monitor
from serving.operations.schemas import Alive, ModelCard, ModelInfo, Ready, ServiceVersion
from serving.state import Serving

router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> Alive:
    """Always answers while the event loop runs."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready}})
async def readyz(service: Serving, response: Response) -> Ready:
    """Whether this process can take requests; 503 with reasons if not."""
    ready = await service.reads.run(rules.readiness, service)
    response.status_code = 200 if ready.ready else 503
    return ready


@router.get("/version")
async def version(service: Serving) -> ServiceVersion:
    """The versions of the code, the interface and the model that serves."""
    return rules.version(service)


monitor = Monitor()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(caller: OperatorCaller, service: Serving) -> Response:
    """Numbers for a monitoring system in Prometheus' text format: latency, refusals, people scored, lists, ages of
    data, drift."""
    standing = await service.reads.run(monitor.standing, service)
    text = text_of(service.metrics, standing, dt.date.today())
    return PlainTextResponse(text, media_type=CONTENT_TYPE)


@router.get("/v1/model")
async def model(caller: AnyCaller, service: Serving) -> ModelInfo:
    """The model that scores requests now."""
    return rules.model_info(service)


@router.get("/v1/model/card")
async def card(caller: AnyCaller, service: Serving) -> ModelCard:
    """What the model was trained on, how well it did, and what it is not for."""
    return rules.model_card(service)
