"""Memory that requests leave behind is returned to the system, also after requests whose body nobody read."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serving.app import create_app
from serving.http import middleware
from serving.http.protocol import BoundedProtocol
from serving.settings import ServiceSettings
from tests.serving.running import running

HEAD = (
    b"POST /v1/scores HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n\r\n"
)


@pytest.fixture
def tidied(monkeypatch):
    """Counts how often memory is returned; requests rest for no time."""
    times = threading.Semaphore(0)
    monkeypatch.setattr(middleware, "_tidy", times.release)
    monkeypatch.setattr(middleware, "REST_S", 0.0)
    return times


def test_after_a_request_that_was_refused_memory_is_returned(client_at_rest, tidied):
    refused = client_at_rest.post("/v1/scores", content=b"{" * 5_000, headers={"Content-Type": "application/json"})
    assert refused.status_code == 401
    assert tidied.acquire(timeout=120)


def test_many_requests_in_a_row_return_it_once(client_at_rest, monkeypatch):
    begun = []

    async def later():
        begun.append(1)

    monkeypatch.setattr(middleware, "_tidy_later", later)
    monkeypatch.setattr(middleware, "REST_S", 3_600.0)
    for _ in range(20):
        client_at_rest.get("/livez")
    assert len(begun) == 1


def held() -> int:
    """Bytes of bodies that requests of this process hold."""
    return sum(len(one.body) for one in gc.get_objects() if isinstance(one, RequestResponseCycle))


def test_what_was_received_of_a_refused_body_is_let_go(shared_home, monkeypatch):
    """Also by requests that the collector has not found yet: a refused one hangs together in a circle."""
    app = create_app(ServiceSettings(home=shared_home, environment="demo"))
    gc.collect()
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    gc.disable()
    try:
        with running(app, http=BoundedProtocol) as address:
            parts = urlsplit(address)
            for _ in range(3):
                with socket.create_connection((parts.hostname, parts.port), timeout=60) as client:
                    client.sendall(HEAD + b"{" * 60_000)
                    assert b" 401 " in client.recv(4_096)
                    assert within(lambda: held() == 0), held()
    finally:
        gc.enable()


def within(holds: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether it holds at last: an answer is read before the server has finished with its request."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def client_at_rest(shared_home, start):
    """A service of its own, which has answered nothing yet."""
    with start(shared_home) as client:
        yield client
