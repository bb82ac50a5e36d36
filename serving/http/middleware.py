"""The request boundary, as plain ASGI: request ids, security headers, host and origin checks, the last handler for
errors; and for each request one log line, one measurement and, if enabled, one span.

No ``BaseHTTPMiddleware``: it costs a task group per request and breaks context variables.
"""

from __future__ import annotations

import asyncio
import gc
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.records.memory import give_back
from serving.http.bodies import HEADERS as MOST_HEADERS
from serving.http.bodies import LimitedBody, announced
from serving.http.cors import Cors
from serving.http.problems import Problem, from_http, log_unexpected
from serving.http.rate_limit import Rate
from serving.identity.ids import SLASH_IN_AN_ID
from serving.observability.logs import SECURITY_NAME, logger
from serving.observability.metrics import Metrics
from serving.observability.tracing import Tracing
from serving.settings import LOOPBACK_NAMES

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
INTERFACE = "/docs"
INTERFACE_POLICY = f"{CONTENT_SECURITY_POLICY}; connect-src 'self'"
"""Of the page on which calls are tried: its script may call this service, and nothing else."""
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STATIC = "/static/"
LARGE = 8_000_000
"""Answer size in bytes (about 35 people scored) after which memory is returned to the system: 500 people leave 120 MB
behind.
"""
ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ANY_HOST = frozenset({"/livez", "/readyz", "/metrics"})
"""Health checks of load balancers and clusters call a process by its own address. They hold nothing about people."""
STREAMS = frozenset({"/v1/scores/stream"})
"""Addresses that take a body line by line, however long it is."""
HELD = 8_000_000
"""Bytes of bodies received since memory was last returned."""
REST_S = 30.0
"""After any request memory is returned so many seconds later, once for all requests until then. Requests that are
refused receive bytes that no body counts: strangers left 130 MB behind, for as long as nobody sent a large body.
"""
PROBES = frozenset({"/livez", "/readyz", "/metrics", "/static"})
"""Called every few seconds by machines, so only failures are logged."""
SECURITY = frozenset({401, 403, 429})
EVENTS = {
    ("POST", "/sign-in"): "signed-in",
    ("GET", "/sign-in/back"): "signed-in",
    ("GET", "/launch/back"): "signed-in",
    ("POST", "/sign-out"): "signed-out",
    ("POST", "/emergency-access"): "emergency-access-opened",
    ("POST", "/v1/patients/{patient_id}/emergency-access"): "emergency-access-opened",
}
"""Requests that are security events also when they are not refused, and what each is called."""
log = logger()
security_log = logger(SECURITY_NAME)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_COMPRESSED = frozenset({"", "identity"})
COMPRESSED = "Send the body without compression: this service reads no Content-Encoding but identity."
"""No route decompresses: a body of 60 kB could become 60 MB. RFC 9110, 15.5.16, has 415 name what would be read."""


class Boundary:
    """The outermost middleware. ``allowed_hosts`` are the names, besides loopback, that a request may be addressed
    to. ``max_body_bytes`` limits the body, whether its length is announced or not. ``render`` turns a problem into an
    answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: tuple[str, ...],
        max_body_bytes: int,
        render: Callable[[Request, Problem], Response],
        metrics: Metrics,
        tracing: Tracing,
        https: bool = False,
        address_of: Callable[[Request], str] = lambda request: request.client.host if request.client else "unknown",
        cors: Cors | None = None,
    ) -> None:
        self.cors = cors or Cors()
        self.address_of, self._security_lines = address_of, Rate(60)
        self.app, self.render, self.max_body_bytes = app, render, max_body_bytes
        headers = {**HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if https else {})}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._held, self._rests_until = 0, 0.0
        self._tidying: asyncio.Task[None] | None = None
        self.metrics, self.tracing = metrics, tracing
        self.hosts = frozenset((*LOOPBACK_NAMES, *allowed_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, method = secrets.token_hex(8), scope["method"]
        if method == "HEAD":  # handled as GET; the server sends only the head, and every route answers it this way
            scope = {**scope, "method": "GET"}
        if b"%2f" in scope.get("raw_path", b"").lower():
            scope = {**scope, "path": _unsplit(scope["raw_path"])}
        body = LimitedBody(scope, receive, self.max_body_bytes)
        scope.setdefault("state", {}).update(request_id=request_id, body=body)
        started = False
        status, sent = 500, 0
        began, began_ns = time.perf_counter(), time.time_ns()
        self.metrics.began()

        async def send_with_headers(message: Message) -> None:
            nonlocal started, status, sent
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                _add_headers(message, self._headers, scope["path"], request_id)
                if method == "POST" and status == 303:
                    _outdate_earlier_pages(message, scope, request_id)
                self.cors.add(message, scope)
            sent += len(message.get("body", b""))
            if method == "HEAD" and "body" in message:
                message = {**message, "body": b""}
            await send(message)

        try:
            self._check(Headers(scope=scope), scope)
            if method == "OPTIONS" and self.cors.admits(scope):
                await self.cors.preflight(scope, receive, send_with_headers)
                return
            await self.app(scope, body, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever escapes becomes a problem without its text
            if started:
                log_unexpected(error, request_id)
                raise RuntimeError("the answer broke off; see the log by request id") from None
            problem = _as_problem(error, request_id)
            await self.render(Request(scope), problem)(scope, receive, send_with_headers)
        finally:
            self._note(scope, method, status, request_id, time.perf_counter() - began, began_ns)
        self._held += body.read
        if sent > LARGE or self._held > HELD:  # the request is answered and nothing refers to it any more
            self._held = 0
            del body
            scope["state"].pop("body", None)
            await to_thread.run_sync(_tidy)
        elif time.monotonic() >= self._rests_until:
            self._rests_until = time.monotonic() + REST_S
            self._tidying = asyncio.create_task(_tidy_later())

    def _note(self, scope: Scope, method: str, status: int, request_id: str, seconds: float, began_ns: int) -> None:
        """Logs that a request was answered: by its route's template, never its address."""
        method = method if method in METHODS else "other"
        route, state = route_of(scope), scope["state"]
        self.metrics.answered(method, route, status, seconds)
        if "problem" in state:
            self.metrics.refused(state["problem"], status)
        parent = Headers(scope=scope).get("traceparent", "")
        self.tracing.answered(method, route, status, request_id, began_ns, time.time_ns(), parent)
        event = EVENTS.get((scope["method"], route))
        if status in SECURITY or event is not None:
            kind = state.get("problem") or (event if event is not None and status < 400 else "refused")
            self._security(scope, kind, status, request_id)
        if route in PROBES and status < 400:
            return
        said = {name: state[name] for name in ("role", "problem") if name in state}
        milliseconds = round(seconds * 1_000, 1)
        log.info(
            "answered",
            request_id=request_id,
            method=method,
            route=route,
            status=status,
            milliseconds=milliseconds,
            **said,
        )

    def _security(self, scope: Scope, kind: str, status: int, request_id: str) -> None:
        """Logs an event of the security log with its source address: at most sixty a minute per address."""
        self.metrics.security(kind)
        address = self.address_of(Request(scope))
        try:
            self._security_lines.spend(address)
        except Problem:
            return
        role = scope["state"].get("role", "")
        security_log.warning(
            "security", security=kind, status=status, address=address, role=role, request_id=request_id
        )

    def _check(self, headers: Headers, scope: Scope) -> None:
        if sum(len(name) + len(value) for name, value in headers.raw) > MOST_HEADERS:
            raise Problem(431, "headers-too-large", "The header lines are longer than this service accepts.")
        host = _host_name(headers.get("host", ""))
        if len(headers.getlist("host")) > 1:  # a proxy may have read the other one
            raise Problem(400, "several-hosts", "The request has more than one Host line.")
        if host not in self.hosts and scope["path"] not in ANY_HOST:
            raise Problem(
                400, "unknown-host", "This service does not answer to that host name; set UPSTREAM_ALLOWED_HOSTS."
            )
        if (announced(headers) or 0) > self.max_body_bytes and scope["path"] not in STREAMS:
            raise HTTPException(413)
        if scope["method"] in SAFE_METHODS:
            return
        if headers.get("content-encoding", "").strip().lower() not in NOT_COMPRESSED:
            raise Problem(415, "compressed-body", COMPRESSED, headers={"Accept-Encoding": "identity"})
        if self.cors.admits(scope):
            return
        # All current browsers send Sec-Fetch-Site; for older ones, Origin alone decides.
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        foreign_origin = origin is not None and urlsplit(origin).netloc != headers.get("host", "")
        if site not in (None, "same-origin", "none") or (site is None and foreign_origin):
            raise Problem(403, "foreign-origin", "Forms and changes are accepted from this service's own pages only.")


async def _tidy_later() -> None:
    await asyncio.sleep(REST_S)
    with suppress(RuntimeError):  # the system gives no further thread now; the next request tries again
        await to_thread.run_sync(_tidy)


def _tidy() -> None:
    """Collects the reference cycles that requests leave, which are too few to trigger the collector, and returns free
    pages to the system.
    """
    gc.collect()
    give_back()


def route_of(scope: Scope) -> str:
    """The template of the route that answered, such as ``/v1/patients/{patient_id}``; ``unmatched`` if there was
    none.
    """
    return str(getattr(scope.get("route"), "path", None) or "unmatched")


def _add_headers(message: Message, always: Sequence[tuple[bytes, bytes]], path: str, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    stored = b"public, max-age=3600" if path.startswith(STATIC) else b"no-store"
    sent = {name for name, _ in headers.raw}
    for name, value in (*always, (b"x-request-id", request_id.encode()), (b"cache-control", stored)):
        if name in sent:
            headers[name.decode()] = value.decode()
        else:
            headers.raw.append((name, value))
    if path == INTERFACE:
        headers["Content-Security-Policy"] = INTERFACE_POLICY


def _outdate_earlier_pages(message: Message, scope: Scope, request_id: str) -> None:
    """After a form, the browser's Back shows pages as they are now. Browsers keep pages in memory for Back, also those
    sent as ``no-store``; a changed cookie makes them ask again."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    cookie = f"upstream_saved={request_id}; Path=/; HttpOnly; SameSite=Strict{secure}"
    MutableHeaders(scope=message).append("Set-Cookie", cookie)


def _as_problem(error: Exception, request_id: str) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return from_http(error)
    log_unexpected(error, request_id)
    return Problem(500, "unexpected", "Something went wrong in the service. It was logged without patient data.")


def _unsplit(raw_path: bytes) -> str:
    """The address with the ``/`` of an id kept apart from those between its parts."""
    address = raw_path.partition(b"?")[0].decode("ascii", "replace")
    return unquote(ENCODED_SLASH.sub(quote(SLASH_IN_AN_ID), address))


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
