"""``/livez``, ``/readyz``, ``/version``, ``/v1/model`` and ``/v1/model/card``. The first three answer anybody and hold nothing about people."""

from __future__ import annotations

from fastapi import APIRouter, Response

from serving.context import Serving
from serving.operations import service as rules
from serving.operations.schemas import Alive, ModelCard, ModelInfo, Ready, Version
from serving.security.requests import AnyCaller

router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> Alive:
    """The event loop turns."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready}})
async def readyz(service: Serving, response: Response) -> Ready:
    """Whether this process should get requests, with reasons if not (503)."""
    ready = await service.reads.run(rules.readiness, service)
    response.status_code = 200 if ready.ready else 503
    return ready


@router.get("/version")
async def version(service: Serving) -> Version:
    return rules.version(service)


@router.get("/v1/model")
async def model(caller: AnyCaller, service: Serving) -> ModelInfo:
    """The model that scores requests now."""
    return rules.model_info(service)


@router.get("/v1/model/card")
async def card(caller: AnyCaller, service: Serving) -> ModelCard:
    """What the model was trained on, how well it did, and what it is not for."""
    return rules.model_card(service)
