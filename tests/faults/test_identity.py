"""The identity provider is slow, goes away, changes its keys, or has another clock: nobody who had proved who they are
is held up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from serving.security import oidc
from serving.security.tokens import issue_token
from tests.serving.identity_provider import trusted

LEEWAY = 30


class Keys:
    """A provider's key set on loopback. ``drip`` is the seconds between the bytes of an answer."""

    def __init__(self) -> None:
        self.names, self.drip, self.asked = ["first"], 0.0, 0
        self.keys = {name: RSAKey.generate_key(2048, {"kid": name}) for name in ("first", "second")}
        self.url = ""

    def token(self, kid: str = "first", skew: int = 0) -> str:
        now = int(time.time()) + skew
        claims = {"iss": self.url, "aud": "upstream", "sub": "sam", "role": "R9000", "nbf": now, "exp": now + 600}
        return jwt.encode({"alg": "RS256", "kid": kid}, claims, self.keys[kid])

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        body = json.dumps(KeySet([self.keys[name] for name in self.names]).as_dict(private=False)).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if not self.drip:
            handler.wfile.write(body)
            return
        for byte in body[:40]:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(self.drip)


@contextmanager
def provider() -> Iterator[tuple[Keys, ThreadingHTTPServer]]:
    keys = Keys()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                keys.answer(self)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    keys.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield keys, server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hospital(home, start):
    """A service that trusts a provider."""
    with provider() as (keys, server), start(home, oidc=(trusted(keys.url, leeway_seconds=LEEWAY),)) as client:
        yield client, keys, server


def ask(client, token):
    return client.get("/v1/model", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.fault(
    "JWKS slow", "503 for tokens whose key is not known yet, at the deadline; everybody else is answered"
)
def test_slow_keys_hold_up_nobody_else(hospital, home, monkeypatch):
    client, keys, _ = hospital
    monkeypatch.setattr(oidc, "FETCH_SECONDS", 5.0)  # a busy machine answers two others meanwhile
    keys.drip = 0.5
    own = issue_token(home, "auditor", None)
    slow = []
    thread = threading.Thread(target=lambda: slow.append(ask(client, keys.token())))
    thread.start()
    while not keys.asked:
        time.sleep(0.01)
    # In the middle of the fetch: the event loop turns, and tokens of ours are good.
    assert client.get("/livez").status_code == 200 and ask(client, own).status_code == 200
    assert thread.is_alive(), "the fetch was over before anybody could be held up"
    thread.join()
    (answer,) = slow
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.json()["type"].endswith("identity-unavailable")


@pytest.mark.fault(
    "JWKS down", "known keys work for a day; without any key the service answers 503; it recovers by itself"
)
def test_cached_keys_are_used_while_the_provider_is_down(hospital, monkeypatch):
    client, keys, _ = hospital
    monkeypatch.setattr(oidc, "COOL_DOWN_SECONDS", 0.0)
    assert ask(client, keys.token()).status_code == 200
    monkeypatch.setattr(oidc, "FRESH_SECONDS", -1.0)
    keys.answer = lambda handler: handler.send_error(500)
    assert ask(client, keys.token()).status_code == 200
    monkeypatch.setattr(oidc, "STALE_SECONDS", -1.0)
    answer = ask(client, keys.token())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    del keys.answer
    monkeypatch.setattr(oidc, "STALE_SECONDS", 86_400.0)
    assert ask(client, keys.token()).status_code == 200


@pytest.mark.fault(
    "JWKS rotated", "the new key is found, the withdrawn one is refused; unknown key ids cause no further fetch"
)
def test_new_keys_replace_old_ones(hospital, monkeypatch):
    client, keys, _ = hospital
    assert ask(client, keys.token()).status_code == 200
    keys.names = ["second"]
    assert ask(client, keys.token("second")).status_code == 401  # within the cool-down nobody can make us fetch
    assert keys.asked == 1
    monkeypatch.setattr(oidc, "COOL_DOWN_SECONDS", 0.0)
    assert ask(client, keys.token("second")).status_code == 200
    assert ask(client, keys.token("first")).status_code == 401


@pytest.mark.fault(
    "the provider's clock differs", "tokens are accepted within the leeway; beyond it, early or late, they are 401"
)
def test_a_token_is_accepted_within_the_leeway_of_clock_skew(hospital):
    client, keys, _ = hospital
    assert ask(client, keys.token(skew=LEEWAY - 5)).status_code == 200
    assert ask(client, keys.token(skew=LEEWAY + 60)).status_code == 401
    assert ask(client, keys.token(skew=-600 - LEEWAY + 5)).status_code == 200
    assert ask(client, keys.token(skew=-600 - LEEWAY - 60)).status_code == 401
