"""``POST /messages/receipts`` and ``POST /messages/replies``: what the provider of texts calls, with its own bearer
token. Each may come twice, late and in any order."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.access import GuardedRoute, RequiresTextingProvider
from serving.identity.callers import Caller
from serving.messages.desk import desk_of
from serving.messages.inbound import take_receipt, take_reply
from serving.messages.schemas import TextReceipt, TextReply
from serving.state import Serving

router = APIRouter(tags=["texts"], route_class=GuardedRoute)
ProviderCaller = Annotated[Caller, Depends(RequiresTextingProvider())]


@router.post("/messages/receipts", status_code=204, response_class=Response)
async def receipt(request: Request, caller: ProviderCaller, service: Serving, body: TextReceipt) -> None:
    """A receipt: what became of a text. The number in it is not kept."""
    desk = desk_of(service)
    await service.reads.run(take_receipt, desk, body.id, body.status, body.completed_at or body.sent_at)


@router.post("/messages/replies", status_code=204, response_class=Response)
async def reply(request: Request, caller: ProviderCaller, service: Serving, body: TextReply) -> None:
    """A reply. 204 only once it is stored; the provider sends it again otherwise."""
    desk = desk_of(service)
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    await service.reads.run(take_reply, desk, given)
