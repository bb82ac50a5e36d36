"""``POST /messages/receipts`` and ``POST /messages/replies``: callbacks of GOV.UK Notify, with its own bearer token.
``POST /messages/nhs-notify``: the signed callbacks of NHS Notify. Each may come twice, late and in any order."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.access import GuardedRoute, RequiresNhsNotify, RequiresTextingProvider
from serving.http.problems import Problem
from serving.identity.callers import Caller
from serving.messages.desk import desk_of
from serving.messages.incoming.inbound import take_receipt, take_reply
from serving.messages.incoming.watch import TextingWatch
from serving.messages.providers.nhs_notify import is_signed, statuses_in
from serving.messages.schemas import TextReceipt, TextReply
from serving.state import Serving

router = APIRouter(tags=["texts"], route_class=GuardedRoute)
ProviderCaller = Annotated[Caller, Depends(RequiresTextingProvider())]
NhsNotifyCaller = Annotated[Caller, Depends(RequiresNhsNotify())]


@router.post("/messages/receipts", status_code=204, response_class=Response)
async def receipt(request: Request, caller: ProviderCaller, service: Serving, body: TextReceipt) -> None:
    """A receipt: the delivery status of a text. The number in it is not stored."""
    desk = desk_of(service)
    await service.reads.run(take_receipt, desk, body.id, body.status, body.completed_at or body.sent_at)


@router.post("/messages/replies", status_code=204, response_class=Response)
async def reply(request: Request, caller: ProviderCaller, service: Serving, body: TextReply) -> None:
    """A reply. 204 only once it is stored; the provider sends it again otherwise. Alerts and the automatic answer are
    sent outside the request."""
    desk = desk_of(service)
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    try:
        await service.reads.run(take_reply, desk, given)
    finally:
        watch: TextingWatch | None = request.app.state.texting_watch
        if watch is not None:
            watch.wake()


@router.post("/messages/nhs-notify", status_code=202, response_class=Response)
async def nhs_notify(request: Request, caller: NhsNotifyCaller, service: Serving) -> None:
    """Statuses of messages, as NHS Notify signs them. 403 if the signature does not match the body, 422 for a body
    that is not one of its callbacks."""
    account, body = service.settings.texting.nhs_notify, await request.body()
    if account is None or not is_signed(account, body, request.headers.get("x-hmac-sha256-signature", "")):
        raise Problem(403, "signature-invalid", "The signature is not that of the body.")
    try:
        found = statuses_in(body)
    except ValueError:
        raise Problem(422, "invalid-request", "The body is no callback of NHS Notify.") from None
    desk = desk_of(service)
    for one in found:
        await service.reads.run(take_receipt, desk, one.message_id, one.status, one.at)
