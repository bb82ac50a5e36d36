"""Limits on request bodies: how much may be sent before and after the caller is authenticated, and how long it may
take.
"""

from __future__ import annotations

import asyncio
import email.message
import sys
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from serving.http.problems import Problem

SMALL_BODY = 64_000
"""Largest body, in bytes, before the caller is authenticated, and for every route that does not allow more."""
LARGE_BODY = 1_000_000
"""From this size on, a body takes one of few turns and is freed as soon as it is answered."""
HEADERS = 32_000
"""Largest size of all header lines together. A token of an identity provider has 2,000 to 8,000."""
BODY_SECONDS = 60.0
"""How long a body may take to arrive."""


class LimitedBody:
    """``receive`` of one request that stops at the current limit: ``SMALL_BODY`` until ``allow`` raises it.

    Raises ``HTTPException``, which the framework passes on: 413 before a byte too many is read, 408 for a body that
    does not arrive. ``read`` counts the bytes received.
    """

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        self._receive, self.most, self.limit, self.read = receive, most, min(SMALL_BODY, most), 0
        self._announced = announced(Headers(scope=scope)) or 0
        self._whole, self._ends = False, time.monotonic() + BODY_SECONDS
        self._without_end = False

    async def __call__(self) -> Message:
        if self._whole:  # from here on, only the client's disconnect is awaited
            return await self._receive()
        if self._without_end:
            self._ends = time.monotonic() + BODY_SECONDS
        if max(self._announced, self.read) > self.limit:
            raise HTTPException(413)
        if time.monotonic() >= self._ends:
            raise HTTPException(408)
        try:
            async with asyncio.timeout(self._ends - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        self.read += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self.read > self.limit:
            raise HTTPException(413)
        return message

    def lift(self) -> None:
        """No limit on the whole from here on; a part that does not come in time still ends it."""
        self.limit, self._without_end = sys.maxsize, True


def announced(headers: Headers) -> int | None:
    """The body length that a request announces, or None if it announces none. 413 if it is not a number."""
    length = headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdecimal()):
        raise HTTPException(413)
    return int(length)


def allow(request: Request, limit: int) -> None:
    """Lets an authenticated request send up to ``limit`` bytes."""
    body: LimitedBody = request.scope["state"]["body"]
    body.limit = min(limit, body.most)


def allow_stream(request: Request) -> None:
    """Lets an authenticated request send without an end, as long as it is taken line by line: each part has its own
    time to arrive."""
    request.scope["state"]["body"].lift()


def require_lines(request: Request) -> None:
    """415 unless Content-Type is NDJSON. The answer names the header."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-ndjson", "application/jsonl"):
        words = "Send one JSON object a line, with the header Content-Type: application/x-ndjson."
        raise Problem(415, "unsupported-media-type", words)


def is_large(request: Request) -> bool:
    """Whether a body is large, or does not state its length."""
    length = announced(request.headers)
    return length > LARGE_BODY if length is not None else "transfer-encoding" in request.headers


async def json_body(request: Request) -> bytes:
    """The body of a request that declares JSON. Raises a ``Problem``: 415 for another type, 413, 408."""
    require_json(request)
    found = bytearray()
    try:
        async for part in request.stream():  # not request.body(), which would keep the body for as long as the request
            found += part
    except ClientDisconnect:
        raise HTTPException(400) from None
    return bytes(found)


def require_json(request: Request) -> None:
    """415 unless Content-Type is JSON. The message names the header, because some programs send a form's type by
    default.
    """
    if request.headers.get("content-type") == "application/json":  # as nearly every program says it
        return
    message = email.message.Message()
    message["content-type"] = request.headers.get("content-type", "text/plain")
    subtype = message.get_content_subtype()
    if message.get_content_maintype() != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise Problem(
            415, "unsupported-media-type", "Send the body as JSON, with the header Content-Type: application/json."
        )
