"""A records system on loopback opens Upstream: EHR launch and standalone, and what is refused on the way."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from serving.security.memberships import join_team
from serving.settings import ServiceSettings

KEY = RSAKey.generate_key(2048, {"kid": "epr", "alg": "RS256", "use": "sig"})
CLIENT, PUBLIC = "upstream-app", "http://127.0.0.1"
NORTH = "sam"


class RecordsSystem:
    """What the fake system says; tests change it. ``asked`` are the paths that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.codes: dict[str, dict] = {}
        self.answer: dict = {"patient": "N03"}
        self.claims: dict = {}
        self.configuration: dict = {}

    def authorise(self, address: str) -> dict[str, str]:
        """What its sign-in page does with the address that the browser was sent to: a code for the way back."""
        parts = urlsplit(address)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert parts.path == "/authorize"
        self.codes["the-code"] = asked
        return {"state": asked["state"], "code": "the-code"}

    def token(self, form: dict[str, str]) -> dict | None:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None:
            return None
        verifier = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if verifier.decode() != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": NORTH, "exp": now + 300, "iat": now, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "epr"}, {**claims, "role": "R8000", **self.claims}, KEY)
        return {"access_token": "t", "token_type": "Bearer", "id_token": token, **self.answer}


@contextmanager
def running():
    system = RecordsSystem()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def _send(self, found, status=200):
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            system.asked.append(self.path)
            if self.path == "/fhir/.well-known/smart-configuration":
                usual = {
                    "authorization_endpoint": f"{system.url}/authorize",
                    "token_endpoint": f"{system.url}/token",
                    "code_challenge_methods_supported": ["S256"],
                }
                self._send({**usual, **system.configuration})
            elif self.path == "/jwks":
                self._send({"keys": [KEY.as_dict(private=False)]})
            else:
                self._send({}, 404)

        def do_POST(self):
            system.asked.append(self.path)
            sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            found = system.token({name: values[0] for name, values in sent.items()})
            self._send(found or {"error": "invalid_grant"}, 200 if found else 400)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    system.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def epr():
    with running() as system:
        yield system


def settings(epr):
    issuer = {"issuer": epr.url, "audience": CLIENT, "jwks_url": f"{epr.url}/jwks", "roles": {"R8000": "pharmacist"}}
    record = {"iss": f"{epr.url}/fhir", "label": "The record", "issuer": epr.url, "client_id": CLIENT}
    return {"oidc": [issuer], "smart": [record], "public_url": PUBLIC}


@pytest.fixture
def service(home, start, epr, world):
    join_team(home, epr.url, NORTH, "north", world.AS_OF, None, "test")
    with start(home, **settings(epr)) as client:
        yield client


def launch(service, epr, **query):
    answer = service.get("/launch", params={"iss": f"{epr.url}/fhir", **query})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_an_ehr_launch_ends_on_the_page_of_the_person_in_view(service, epr):
    address = launch(service, epr, launch="opaque")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["aud"] == f"{epr.url}/fhir"
    assert asked["launch"] == "opaque"
    assert asked["scope"] == "launch openid fhirUser patient/Patient.r"
    assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", f"{PUBLIC}/launch/back")
    back = service.get("/launch/back", params=epr.authorise(address))
    assert back.status_code == 200, back.text
    assert 'href="/patients/N03"' in back.text
    page = service.get("/patients/N03")
    assert page.status_code == 200
    assert "N03" in page.text


def test_a_standalone_launch_asks_the_record_for_a_person(service, epr):
    address = launch(service, epr)
    assert "launch%2Fpatient+openid" in address and "launch=" not in address
    back = service.get("/launch/back", params=epr.authorise(address))
    assert 'href="/patients/N03"' in back.text


def test_a_launch_opens_nobody_of_another_team(service, epr):
    """The records system may show the person, but Upstream decides what the user sees here."""
    epr.answer = {"patient": "S02"}
    back = service.get("/launch/back", params=epr.authorise(launch(service, epr, launch="x")))
    assert 'href="/patients/S02"' in back.text
    assert service.get("/patients/S02").status_code == 404


def test_a_launch_ends_the_session_that_it_replaces(service, epr):
    """The record sends the browser back, and then only the mark of the session comes along (the session is strict)."""
    service.get("/launch/back", params=epr.authorise(launch(service, epr, launch="first")))
    first = service.cookies["upstream_session"]
    assert first not in service.cookies["upstream_session_mark"]
    back = epr.authorise(launch(service, epr, launch="second"))
    service.cookies.delete("upstream_session")
    assert service.get("/launch/back", params=back).status_code == 200
    assert service.cookies["upstream_session"] != first
    service.cookies.clear()
    page = service.get("/patients/N03", cookies={"upstream_session": first}, follow_redirects=False)
    assert page.headers["location"].startswith("/sign-in")


def test_the_mark_of_a_session_cannot_be_used_to_sign_in(service, epr):
    service.get("/launch/back", params=epr.authorise(launch(service, epr, launch="first")))
    mark = service.cookies["upstream_session_mark"]
    service.cookies.clear()
    for name in ("upstream_session", "upstream_session_mark"):
        page = service.get("/patients/N03", cookies={name: mark}, follow_redirects=False)
        assert page.headers["location"].startswith("/sign-in")
        service.cookies.clear()


@pytest.mark.parametrize("patient", [None, 7, "", "9434765919", "x" * 300])
def test_a_launch_without_a_person_we_can_know_ends_at_the_start(service, epr, patient):
    epr.answer = {"patient": patient}
    back = service.get("/launch/back", params=epr.authorise(launch(service, epr, launch="x")))
    assert back.status_code == 200
    assert 'href="/"' in back.text


def test_a_record_that_is_not_ours_is_refused_before_anything_is_fetched(service, epr):
    for iss in ("https://stranger.example/fhir", epr.url, f"{epr.url}/fhir/../other", ""):
        assert service.get("/launch", params={"iss": iss, "launch": "x"}).status_code == 400
    assert epr.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"authorization_endpoint": "http://stranger.example/authorize"},
        {"token_endpoint": None},
    ],
)
def test_a_record_without_pkce_or_a_safe_line_is_503(service, epr, wrong):
    epr.configuration = wrong
    assert service.get("/launch", params={"iss": f"{epr.url}/fhir", "launch": "x"}).status_code == 503


def test_an_answer_counts_once_and_in_the_browser_that_began(service, epr):
    sent = epr.authorise(launch(service, epr, launch="x"))
    kept = dict(service.cookies)
    service.cookies.clear()
    assert service.get("/launch/back", params=sent).status_code == 400
    service.cookies.update(kept)
    assert service.get("/launch/back", params=sent).status_code == 400  # used up by the other browser
    service.cookies.clear()
    sent = epr.authorise(launch(service, epr, launch="x"))
    assert service.get("/launch/back", params=sent).status_code == 200
    assert service.get("/launch/back", params=sent).status_code == 400


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another-app"},
        {"iss": "https://stranger.example"},
        {"exp": 1},
        {"azp": "another-app"},
    ],
)
def test_an_id_token_that_does_not_hold_is_403(service, epr, claims):
    epr.claims = claims
    back = service.get("/launch/back", params=epr.authorise(launch(service, epr, launch="x")))
    assert back.status_code == 403
    assert service.get("/patients/N03").status_code == 303


def test_a_user_without_a_role_here_gets_a_clear_answer(service, epr):
    epr.claims = {"role": "R0000"}
    back = service.get("/launch/back", params=epr.authorise(launch(service, epr, launch="x")))
    assert back.status_code == 403
    assert "no role" in re.sub(r"\s+", " ", back.text).lower()


def test_the_record_refusing_or_a_wrong_code_is_403(service, epr):
    sent = epr.authorise(launch(service, epr, launch="x"))
    assert service.get("/launch/back", params={"state": sent["state"], "error": "access_denied"}).status_code == 403
    sent = epr.authorise(launch(service, epr, launch="x"))
    assert service.get("/launch/back", params={**sent, "code": "wrong"}).status_code == 403


def test_a_sign_in_cannot_be_finished_as_a_launch(home, start, epr):
    with start(home, **settings(epr)) as client:
        assert client.get("/launch/back", params={"state": "made-up", "code": "c"}).status_code == 400


def test_invalid_settings_are_refused(tmp_path, epr):
    good = settings(epr)
    for wrong in ({**good, "public_url": ""}, {**good, "oidc": []}):
        with pytest.raises(ValueError, match="UPSTREAM_"):
            ServiceSettings(home=tmp_path, **wrong)
