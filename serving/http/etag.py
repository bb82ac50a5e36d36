"""ETags: a client that already holds the answer gets 304 instead of the answer.

The answer is computed and audited either way, because a 304 confirms that the caller's copy is current and the caller
views it again. Nothing in between may store an answer (``no-store``); the tag is for the caller's own copy.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "the caller's copy (If-None-Match) is current; audited like a 200", "model": None}
}


def answer(request: Request, found: BaseModel) -> Response:
    """``found`` as JSON with its ETag, or 304 if the request names that tag."""
    body = found.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    named = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in named or "*" in named:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})
