"""ETags: a program that holds an answer already is told so (304) instead of being sent it again.

The answer is worked out and written to the audit log either way: a 304 says that what the caller holds is still so,
and they look at it again. Nothing in between may keep an answer (``no-store``); the tag serves the caller's own copy.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "what the caller holds (If-None-Match) is still so; audited like a 200", "model": None}
}


def answer(request: Request, found: BaseModel) -> Response:
    """``found`` as JSON with its ETag, or 304 where the request names that tag."""
    body = found.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    named = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in named or "*" in named:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})
