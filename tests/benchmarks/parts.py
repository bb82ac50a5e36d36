"""Where one ``POST /v1/scores`` spends its processor time: by part, in one process, without a network.

    python -m tests.benchmarks.parts HOME [times]

``HOME`` is the home of a demo: its store gives the people, its bundle the model. Every request is one person with two
years of history, answered by the whole application: routing, authentication, scoring, audit. A part's time is the
processor time of its own thread less that of the parts inside it; "the rest" is what the process used besides. A
median over all requests, so a machine under load changes it little.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message

from serving.app import create_app
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings
from tests.benchmarks.api import bodies_of

PARTS: dict[str, tuple[str, ...]] = {
    "authentication": ("serving.access:token_caller",),
    "body to people and rows": ("serving.scoring.endpoints:read_scores",),
    "rows to columns": ("serving.scoring.service:records_of",),
    "values read": (
        "features.records.loading.plain_rows.cells:Readers.read",
        "features.records.loading.loading:parse_table",
    ),
    "checks, one event, order": ("features.records.loading.loading:Loading.run",),
    "who is not scored": ("serving.scoring.service:not_scored",),
    "features": ("serving.scoring.service:build_values",),
    "scores and contributions": ("models:RiskModel.score",),
    "what if": ("models:RiskModel.what_ifs",),
    "age of sources": ("serving.scoring.service:History.__init__",),
    "gaps": ("serving.scoring.service:_gaps_by_person",),
    "rows behind reasons": ("serving.scoring.evidence:Behind.__init__", "serving.scoring.evidence:Behind.texts"),
    "reasons": ("models.risk_model:RiskModel.ranked_concepts",),
    "flags": ("serving.scoring.service:ScoredPeople.flags",),
    "answer as JSON": ("serving.scoring.endpoints:score_request",),
    "audit event": ("serving.auditlog.log:Audit.record",),
    "log line and metrics": ("serving.http.middleware:Boundary._note",),
}
REST = "the rest: HTTP, routing, threads"


class Timers:
    """Processor time of wrapped functions, each without that of the wrapped functions it calls."""

    def __init__(self) -> None:
        self.found: dict[str, float] = defaultdict(float)
        self._local = threading.local()

    def wrap(self, part: str, target: str) -> None:
        """Puts a timer around ``module:name`` or ``module:Class.name``."""
        module, _, path = target.partition(":")
        owner: Any = importlib.import_module(module)
        *above, name = path.split(".")
        for one in above:
            owner = getattr(owner, one)
        setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            inside = self._inside
            inside.append(0.0)
            began = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.thread_time() - began
                self.found[part] += took - inside.pop()
                if inside:
                    inside[-1] += took

        return timed

    @property
    def _inside(self) -> list[float]:
        if not hasattr(self._local, "inside"):
            self._local.inside = []
        found: list[float] = self._local.inside
        return found


async def ask(app: ASGIApp, body: bytes, headers: list[tuple[bytes, bytes]], query: bytes = b"") -> bytes:
    """The answer of the application to one request. Raises where it is not 200."""
    sent: list[Message] = []
    taken = False

    async def receive() -> Message:
        nonlocal taken
        if taken:
            await asyncio.sleep(3600)
        taken = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/scores",
        "raw_path": b"/v1/scores",
        "query_string": query,
        "root_path": "",
        "headers": [(b"content-length", str(len(body)).encode()), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent)
    if sent[0]["status"] != 200:
        raise RuntimeError(answer.decode())
    return answer


async def measured(home: Path, times: int, timers: Timers | None, query: bytes = b"") -> list[dict[str, float]]:
    """For each request its milliseconds of processor time: the whole under ``all``, and each part."""
    app = create_app(ServiceSettings(home=home, environment="demo", system_rate_per_minute=10**9))
    app.state.alone = True
    headers = [
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {issue_token(home, 'cmht_system', None, 'bench')}".encode()),
    ]
    bodies = [json.dumps(body).encode() for body in bodies_of(home)]
    found = []
    async with app.router.lifespan_context(app):
        for number in range(-len(bodies), times):
            if timers is not None:
                timers.found.clear()
            began = time.process_time()
            await ask(app, bodies[number % len(bodies)], headers, query)
            took = time.process_time() - began
            if number >= 0:
                parts = {} if timers is None else timers.found
                found.append({"all": 1_000 * took, **{part: 1_000 * spent for part, spent in parts.items()}})
    return found


def run(home: Path, times: int = 240, query: bytes = b"") -> dict[str, Any]:
    """The medians over ``times`` requests of the people of a home, in milliseconds: the whole without timers, then each
    part with them."""
    whole = statistics.median(one["all"] for one in asyncio.run(measured(home, times, None, query)))
    timers = Timers()
    for part, targets in PARTS.items():
        for target in targets:
            timers.wrap(part, target)
    each = asyncio.run(measured(home, times, timers, query))
    parts = {part: statistics.median(one.get(part, 0.0) for one in each) for part in PARTS}
    parts[REST] = statistics.median(one["all"] for one in each) - sum(parts.values())
    return {
        "name": "api-parts",
        "unit": "ms of processor time, median",
        "ours": round(whole, 2),
        "requests": times,
        "parts": {part: round(took, 3) for part, took in parts.items()},
    }


if __name__ == "__main__":
    asked = sys.argv[3].encode() if len(sys.argv) > 3 else b""
    sys.stdout.write(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 240, asked)) + "\n")
