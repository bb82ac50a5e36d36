"""What schemathesis loads: every operation is called by a role that may call it, and each call of the decision support
gets a token of its own, since a token counts once."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from joserfc.jwk import ECKey

from tests.serving.cds import clients

TOKENS_FILE = "UPSTREAM_TEST_TOKENS"
"""Environment variable that names a JSON file: ``key`` of the client that signs, ``tokens`` by ``METHOD path``."""


@cache
def _given() -> dict[str, Any]:
    return json.loads(Path(os.environ[TOKENS_FILE]).read_text())


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """The text that was invented, as it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.auth(refresh_interval=None)
class Signed:
    def get(self, case: Any, context: Any) -> str | None:
        if case.path.startswith("/cds-services"):
            base, path = urlsplit(case.operation.base_url), case.formatted_path
            return clients.token(
                path, key=ECKey.import_key(_given()["key"]), aud=f"{base.scheme}://{base.netloc}{path}"
            )
        return _given()["tokens"].get(f"{case.method.upper()} {case.path}")

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
