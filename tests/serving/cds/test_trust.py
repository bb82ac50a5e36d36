"""Who may ask for decision support: a token of a system that the settings name, for this address, for five minutes,
once."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, event, select, text

from serving import access
from serving.auditlog import log
from serving.security.tokens import issue_token
from serving.settings import CdsClient
from serving.storage.database import DatabaseUnavailable
from serving.storage.tables import audit_head
from tests.serving.cds import clients
from tests.serving.cds.conftest import SELECT, VIEW

REFUSED = {
    "another issuer": {"iss": "https://stranger.example"},
    "another address": {"aud": f"{clients.BASE}/cds-services"},
    "no audience": {"aud": None},
    "expired": {"iat": lambda now: now - 900, "exp": lambda now: now - 600},
    "lives six minutes": {"exp": lambda now: now + 360},
    "begins in the future": {"iat": lambda now: now + 3_000, "exp": lambda now: now + 3_100},
    "no iat": {"iat": None},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "another key of the same name": {"key": clients.OTHER_KEY},
    "brings its own key": {"header": {"jwk": clients.OTHER_KEY.as_dict(private=False)}},
    "names where its keys are": {"header": {"jku": "https://stranger.example/keys"}},
    "no typ": {"header": {"typ": "at+jwt"}},
    "a key that nobody has": {"header": {"kid": "k2"}},
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_token_that_does_not_hold_is_401(trusting, why):
    answer = trusting.post(VIEW, json=clients.hook("patient-view"), headers=clients.bearer(VIEW, **REFUSED[why]))
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:upstream:problem:not-signed-in"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384"])
def test_a_token_without_signature_or_signed_by_a_shared_secret_is_401(trusting, algorithm):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"iss": clients.ISSUER, "aud": clients.BASE + VIEW, "iat": now, "exp": now + 300, "jti": "j"}
    forged = f"{part({'alg': algorithm, 'kid': 'k1', 'typ': 'JWT'})}.{part(claims)}."
    answer = trusting.post(VIEW, json=clients.hook("patient-view"), headers={"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


def test_a_token_counts_once(trusting):
    headers = clients.bearer(VIEW)
    body = clients.hook("patient-view")
    assert [trusting.post(VIEW, json=body, headers=headers).status_code for _ in range(2)] == [200, 401]


def test_a_token_is_spent_by_a_request_that_is_refused(trusting):
    headers = clients.bearer(VIEW)
    assert trusting.post(VIEW, json={"hook": "patient-view"}, headers=headers).status_code == 422
    assert trusting.post(VIEW, json=clients.hook("patient-view"), headers=headers).status_code == 401


def test_a_token_counts_once_across_a_restart(home, start, tmp_path):
    headers, trusted = clients.bearer("/cds-services"), [clients.settings(tmp_path)]
    for status in (200, 401):
        with start(home, cds=trusted) as client:
            assert client.get("/cds-services", headers=headers).status_code == status


def test_discovery_needs_a_token_too(trusting):
    assert trusting.get("/cds-services").status_code == 401
    assert trusting.get("/cds-services", headers=clients.bearer("/cds-services")).status_code == 200


def test_a_token_of_upstream_opens_no_hook_and_a_clients_token_opens_nothing_else(trusted_home, trusting):
    own = {"Authorization": f"Bearer {issue_token(trusted_home, 'cmht_system', ['north'])}"}
    assert trusting.get("/cds-services", headers=own).status_code == 401
    for path in ("/v1/teams", "/v1/patients/N00", "/metrics"):
        assert trusting.get(path, headers=clients.bearer(path)).status_code == 401


def test_a_service_without_clients_answers_no_call(home, start):
    with start(home) as client:
        assert client.get("/cds-services", headers=clients.bearer("/cds-services")).status_code == 401


def test_a_token_of_an_unknown_tenant_is_401(home, start, tmp_path):
    with start(home, cds=[clients.settings(tmp_path, tenants=["t1"])]) as client:
        for claims, status in (({"tenant": "t1"}, 200), ({"tenant": "t2"}, 401), ({}, 401)):
            assert client.get("/cds-services", headers=clients.bearer("/cds-services", **claims)).status_code == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"jwks_file": None},
        {"jwks_url": "https://epr.example/keys"},
        {"jwks_file": None, "jwks_url": "http://epr.example/keys"},
        {"teams": []},
        {"origins": ["https://epr.example/path"]},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
    ],
)
def test_invalid_settings_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError):
        CdsClient(**{**clients.settings(tmp_path), **wrong})


ORIGIN = "https://epr.example"


@pytest.fixture
def with_origin(home, start, tmp_path):
    with start(home, cds=[clients.settings(tmp_path, origins=[ORIGIN])]) as opened:
        yield opened


def test_cors_lets_a_page_of_an_agreed_origin_ask_first_and_then_call(with_origin):
    asked = with_origin.options(VIEW, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    headers = clients.bearer(VIEW) | {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
    answer = with_origin.post(VIEW, json=clients.hook("patient-view"), headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


def test_cors_refuses_other_origins_and_other_routes(with_origin):
    stranger = {"Origin": "https://stranger.example", "Sec-Fetch-Site": "cross-site"}
    answer = with_origin.post(VIEW, json=clients.hook("patient-view"), headers=clients.bearer(VIEW) | stranger)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    for path in ("/v1/scores", "/sign-in", "/cds-servicesX"):
        answer = with_origin.post(path, headers={"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("patient", ["N00", "S02"], ids=["of the client's team", "of another team"])
def test_two_calls_at_once_with_one_token_show_cards_once(trusting, database, patient):
    """The second call passes the first look at the token, and is refused when it would use the token up."""
    headers, body = clients.bearer(VIEW), clients.hook("patient-view", patient)

    def call():
        return trusting.post(VIEW, json=body, headers=headers)

    with database.read() as connection:
        before = connection.scalar(select(audit_head.c.seq))
    with ThreadPoolExecutor(4) as pool:
        answers = [each.result() for each in [pool.submit(call) for _ in range(4)]]
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    with database.read() as connection:
        assert connection.scalar(select(audit_head.c.seq)) == before + 1


def test_a_token_that_another_call_used_up_meanwhile_shows_nothing_and_leaves_no_trace(trusting, database, monkeypatch):
    monkeypatch.setattr(access, "is_spent", lambda database, token: False)
    headers, body = clients.bearer(VIEW), clients.hook("patient-view")
    assert trusting.post(VIEW, json=body, headers=headers).status_code == 200
    with database.read() as connection:
        before = connection.scalar(select(audit_head.c.seq))
        shown = connection.scalar(text("SELECT count(*) FROM cards"))
    answer = trusting.post(VIEW, json=body, headers=headers)
    assert answer.status_code == 401
    assert "cards" not in answer.json()
    with database.read() as connection:
        assert connection.scalar(select(audit_head.c.seq)) == before
        assert connection.scalar(text("SELECT count(*) FROM cards")) == shown


def test_a_call_with_cards_commits_once(trusting):
    """A commit waits for the disk, which is most of the time of a call."""
    headers, body = clients.bearer(VIEW), clients.hook("patient-view")
    commits = []

    def count(connection):
        commits.append(connection)

    event.listen(Engine, "commit", count)
    try:
        assert trusting.post(VIEW, json=body, headers=headers).json()["cards"]
    finally:
        event.remove(Engine, "commit", count)
    assert len(commits) == 1


def test_without_an_audit_event_there_are_no_cards_and_the_token_stays_valid(trusting, monkeypatch):
    def broken(*_):
        raise DatabaseUnavailable("full")

    headers, body = clients.bearer(VIEW), clients.hook("patient-view")
    with monkeypatch.context() as patched:
        patched.setattr(log, "_add_events", broken)
        patched.setattr(access, "spend", broken)
        answer = trusting.post(VIEW, json=body, headers=headers)
        assert answer.status_code == 503
        assert "cards" not in answer.json()
    assert trusting.post(VIEW, json=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", [VIEW, SELECT])
def test_a_body_that_is_not_json_uses_the_token_up(trusting, path):
    headers = clients.bearer(path)
    assert trusting.post(path, content=b"x", headers={**headers, "Content-Type": "text/plain"}).status_code == 415
    assert trusting.post(path, json={}, headers=headers).status_code == 401
