"""Cross-origin requests: one part of the service may be called by pages of origins that the settings name, every other
part by our own pages alone. No cookie ever counts there, so none is allowed along."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

METHODS = "GET, POST"
HEADERS = "Authorization, Content-Type"
SECONDS = "600"


@dataclass(frozen=True)
class Cors:
    """Addresses that begin with ``prefix`` may be called from pages of ``origins``."""

    prefix: str = ""
    origins: frozenset[str] = frozenset()

    def admits(self, scope: Scope) -> bool:
        """Whether the request comes from a page of an origin that may call this address."""
        if not self.origins or not self._covers(scope["path"]):
            return False
        return Headers(scope=scope).get("origin") in self.origins

    def add(self, message: Message, scope: Scope) -> None:
        """Say in an answer who may read it."""
        if not self.origins or not self._covers(scope["path"]):
            return
        headers = MutableHeaders(scope=message)
        headers.add_vary_header("Origin")
        if self.admits(scope):
            headers["Access-Control-Allow-Origin"] = Headers(scope=scope)["origin"]

    async def preflight(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a browser that asks whether a page may send a request."""
        headers = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": SECONDS,
        }
        await Response(status_code=204, headers=headers)(scope, receive, send)

    def _covers(self, path: str) -> bool:
        return path == self.prefix or path.startswith(f"{self.prefix}/")
