"""What a request may send, and when it is read: little before it has proved who it is, more after, and never for
ever."""

from __future__ import annotations

import email.message
import time

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from serving.http.problems import Problem

SMALL_BODY = 64_000
"""Bytes that a request may send before it has proved who it is, and to every route that asks for no more."""
LARGE_BODY = 1_000_000
"""Bytes from which a body takes one of few turns, and is let go of as soon as it was answered."""
HEADERS = 32_000
"""Bytes of all header lines together. A token of an identity provider has 2,000 to 8,000."""
BODY_SECONDS = 60.0
"""How long a body may take to arrive."""


class LimitedBody:
    """``receive`` of one request that stops at the limit of the moment: ``SMALL_BODY`` until ``allow`` raises it.

    Raises ``HTTPException``, which the framework passes on: 413 before a byte too many is read, 408 for a body that
    does not come. ``read`` counts what came.
    """

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        self._receive, self.most, self.limit, self.read = receive, most, min(SMALL_BODY, most), 0
        self._announced = announced(Headers(scope=scope)) or 0
        self._whole, self._ends = False, time.monotonic() + BODY_SECONDS

    async def __call__(self) -> Message:
        if self._whole:  # what is waited for now is that the client goes
            return await self._receive()
        if max(self._announced, self.read) > self.limit:
            raise HTTPException(413)
        if time.monotonic() >= self._ends:
            raise HTTPException(408)
        try:
            with anyio.fail_after(max(0.0, self._ends - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        self.read += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self.read > self.limit:
            raise HTTPException(413)
        return message


def announced(headers: Headers) -> int | None:
    """The length that a request says its body has, or None where it says none. 413 for one that is no number."""
    length = headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdecimal()):
        raise HTTPException(413)
    return int(length)


def allow(request: Request, limit: int) -> None:
    """Let a request that has proved who it is send up to ``limit`` bytes."""
    body: LimitedBody = request.scope["state"]["body"]
    body.limit = min(limit, body.most)


def is_large(request: Request) -> bool:
    """Whether a body is large, or does not say how long it is."""
    length = announced(request.headers)
    return length > LARGE_BODY if length is not None else "transfer-encoding" in request.headers


async def json_body(request: Request) -> bytes:
    """The body of a request that says it is JSON. Raises a 415 ``Problem`` for one that does not, 413, 408."""
    require_json(request)
    found = bytearray()
    try:
        async for part in request.stream():  # not request.body(), which would keep it as long as the request
            found += part
    except ClientDisconnect:
        raise HTTPException(400) from None
    return bytes(found)


def require_json(request: Request) -> None:
    """415 unless Content-Type is JSON; the answer names the header, since some programs send a form's by themselves."""
    message = email.message.Message()
    message["content-type"] = request.headers.get("content-type", "text/plain")
    subtype = message.get_content_subtype()
    if message.get_content_maintype() != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise Problem(
            415, "unsupported-media-type", "Send the body as JSON, with the header Content-Type: application/json."
        )
