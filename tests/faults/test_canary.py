"""A made-up person's NHS number and name, sent through every route in every place, in good health and in every kind of
error.

Afterwards nothing the service wrote for others holds them: no log line, no metric, no error body, no header, no
exception text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError

from serving.app import access_of
from serving.identity.callers import SEES_PEOPLE, Role
from serving.security.tokens import issue_token
from serving.storage.database import Database, DatabaseUnavailable
from tests.conftest import ROOT

NUMBER, NAME = "9434765919", "Zebedee Quillfeather"
CANARIES = (NUMBER, "943 476 5919", "Zebedee", "Quillfeather")
BOTH = f"{NUMBER} {NAME}"
HEADERS = (
    ("User-Agent", "Referer", "X-Request-ID", "X-Forwarded-For", "Forwarded", "Traceparent", "Accept"),
    ("Idempotency-Key",),
    ("Origin",),
)
"""Sent together where none makes the service refuse before it has read the others."""
BY_HAND = tuple(
    sorted(
        name
        for path in (ROOT / "serving").rglob("*.py")
        for name in re.findall(r"query_params\.get\(\"(\w+)", path.read_text(encoding="utf-8"))
    )
)
"""What pages read of their address without declaring it, so no value of it is refused."""
OWN_CLIENT = ("httpx", "httpx2", "httpcore", "httpcore2", "asyncio")
"""Loggers of the test's own client, which names the addresses that it calls."""


def bodies() -> Iterator[dict[str, object]]:
    row = {"patient_id": NUMBER, "medicine": NAME, "supplied_on": BOTH, "days_supplied": BOTH}
    yield {"json": {"people": [{"patient_id": BOTH, "tables": {"supplies": [row]}}], "as_of": NAME}}
    yield {"json": {"people": [{"patient_id": "X", "tables": {"supplies": [{NAME: NUMBER}], NAME: []}}], NUMBER: NAME}}
    yield {"json": {"action": BOTH, "useful": BOTH, "note": BOTH, "action_on": NAME}}
    yield {"content": f'{{"people": {BOTH}', "headers": {"Content-Type": "application/json"}}
    yield {"content": BOTH.encode(), "headers": {"Content-Type": NAME}}
    yield {"data": {"choice": BOTH, "proof": BOTH, "action": BOTH, NAME: NUMBER}}


def queries_of(dependant: Any) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for inner in dependant.dependencies:
        yield from queries_of(inner)


def declared(app: FastAPI) -> dict[str, list[str]]:
    """The names that each route reads in the part of an address after ``?``."""
    return {
        f"{method} {context.path}": sorted(queries_of(dependant))
        for context in iter_route_contexts(app.routes)
        if (dependant := getattr(context.original_route, "dependant", None))
        for method in getattr(context.original_route, "methods", None) or ()
    }


def requests_of(
    route: str, headers: dict[str, str], queries: Iterable[Iterable[str]], together: Iterable[Iterable[str]]
) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Every way to put the canary into a route: ``(method, path, what httpx takes)``. ``queries`` and ``together`` are
    names in an address and headers, each group in one request."""
    method, template = route.split(" ", 1)
    known = template.replace("{team_id}", "north").replace("{patient_id}", "N03").replace("{path:path}", "none")
    filled = template
    for part in [piece for piece in template.split("/") if piece.startswith("{")]:
        filled = filled.replace(part, quote(BOTH))
    yield method, filled, {"headers": headers}
    for names in queries:
        yield method, known, {"headers": headers, "params": dict.fromkeys(names, BOTH)}
    for names in together:
        yield method, known, {"headers": {**headers, **dict.fromkeys(names, BOTH)}}
    for secret in (f"Bearer {BOTH}", f"Basic {NUMBER}", BOTH):
        yield method, known, {"headers": {"Authorization": secret, "Cookie": f"upstream_session={NUMBER}"}}
    if method != "GET":
        for body in bodies():
            yield method, known, {**body, "headers": {**headers, **body.get("headers", {})}}
    yield "DELETE", filled, {"headers": headers}


def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is broken."""


def _database_raises(monkeypatch: pytest.MonkeyPatch, kind: type[Exception], text: str) -> None:
    def broken(self: Database, *_: object) -> None:
        raise kind(text)  # a new one each time: the traceback of one that is raised again grows with every request

    for name in ("read", "write"):
        monkeypatch.setattr(Database, name, broken)


def database_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it comes out of ``serving.storage.database``, whose message is ours."""
    _database_raises(monkeypatch, DatabaseUnavailable, "the service database answered OperationalError")


def driver_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver quotes the statement's values."""
    from sqlalchemy import Engine

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("SELECT ?", {"patient_id": BOTH}, Exception(BOTH))

    monkeypatch.setattr(Engine, "connect", broken)


def unexpected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours whose text quotes a person."""
    _database_raises(monkeypatch, KeyError, BOTH)


@dataclass
class Search:
    """What came of sending the canary everywhere."""

    statuses: set[int] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    """Where it was found: an error answer, a header, a log line, a metric, something written to the terminal."""
    broken: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


@pytest.fixture
def search(home, start, caplog, capfd, monkeypatch) -> Callable[..., Search]:
    """Send the canary through every route (or those of ``only``) while ``state`` holds, and look for it everywhere."""

    def searched(state: Callable[[pytest.MonkeyPatch], None], only: tuple[str, ...] = ()) -> Search:
        caplog.set_level(logging.INFO)
        found = Search()
        tokens = {role: issue_token(home, role, ["north"] if role in SEES_PEOPLE else None) for role in Role}
        with start(home) as client:
            client.post("/sign-in", data={"choice": "pharmacist:north"})
            session = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            state(monkeypatch)
            read = declared(client.app)
            for route, roles in access_of(client.app).items():
                if only and route not in only:
                    continue
                headers = {"Cookie": session} if session else {}
                if roles:
                    headers["Authorization"] = f"Bearer {tokens[sorted(roles)[0]]}"
                queries = [(name,) for name in read.get(route, ())] if state is healthy else []
                sent = HEADERS if state is healthy else HEADERS[:1]
                for method, path, how in requests_of(route, headers, [*queries, (NAME, *BY_HAND)], sent):
                    if path == "/sign-out" and "proof" not in str(how):
                        continue
                    client.cookies.clear()
                    answer = client.request(method, path, **how)
                    found.statuses.add(answer.status_code)
                    if answer.status_code >= 400:
                        said = f"{answer.headers} {answer.text}"
                        found.leaks += [f"{route}: {answer.status_code}" for word in CANARIES if word in said]
                    if answer.status_code == 500:
                        found.broken.append(route)
            client.cookies.clear()
            metrics = client.get("/metrics", headers={"Authorization": f"Bearer {tokens[Role.OPERATOR]}"})
        found.written = [
            f"{record.name} {caplog.handler.format(record)}"
            for record in caplog.records
            if record.name not in OWN_CLIENT
        ]
        found.written += [metrics.text, *capfd.readouterr()]
        found.leaks += [text[:200] for text in found.written for word in CANARIES if word in text]
        return found

    return searched


@pytest.mark.parametrize("state", [healthy, database_down, driver_error, unexpected])
def test_no_log_metric_error_or_header_holds_a_canary_value(search, state: Callable[[pytest.MonkeyPatch], None]):
    found = search(state)
    assert found.leaks == []
    assert state is unexpected or found.broken == []
    assert len(found.statuses & {200, 401, 404, 422}) > 2 or state is not healthy
    assert 503 in found.statuses or state in (healthy, unexpected)
    assert state is not unexpected or any("KeyError" in line for line in found.written)


# The search is itself searched: each leak below is planted, and it must find it.


def address_for_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log and the metrics take the address where the route's template belongs."""
    monkeypatch.setattr("serving.http.middleware.route_of", lambda scope: scope["path"])


def names_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation error repeats a name that it was sent."""
    monkeypatch.setattr("serving.http.problems._place", lambda loc, known, unknown_last: ".".join(map(str, loc)))


def anything_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is logged with its text."""
    unexpected(monkeypatch)
    monkeypatch.setattr(
        "serving.http.middleware.log_unexpected", lambda error, _: logging.getLogger("x").error("%s", error)
    )


@pytest.mark.parametrize(
    ("leak", "route"),
    [
        (address_for_route, "GET /v1/patients/{patient_id}"),
        (names_in_errors, "POST /v1/scores"),
        (anything_in_the_log, "GET /v1/teams"),
    ],
)
def test_a_planted_leak_is_found(search, leak, route):
    assert search(leak, only=(route,)).leaks


def test_the_search_finds_a_canary_in_a_log_line(caplog):
    """The searcher is itself tested: a log line with the number is seen."""
    logging.getLogger("upstream.serving").warning("person %s", BOTH)
    assert any(word in caplog.text for word in CANARIES)
