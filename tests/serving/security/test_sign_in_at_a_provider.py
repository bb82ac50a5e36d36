"""Sign-in to the pages at a real identity provider on loopback: the whole journey, and every way to cheat on it."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from serving.security.memberships import assign_role, join_team, leave_team, withdraw_role
from serving.settings import ServiceSettings
from serving.storage.tables import audit_events, sign_ins
from tests.serving.conftest import client_of
from tests.serving.identity_provider import running, trusted

SINCE = dt.date(2020, 1, 1)


@pytest.fixture(scope="module")
def provider():
    with running() as opened:
        yield opened


def with_sign_in(url, **changes):
    how = {"label": "NHS CIS2", "client_id": "pages", "authorize_url": f"{url}/authorize", "token_url": f"{url}/token"}
    return trusted(url, sign_in=how | changes)


@pytest.fixture(scope="module")
def service_home(made_home, tmp_path_factory):
    return Path(shutil.copytree(made_home, tmp_path_factory.mktemp("sign-in") / "home"))


@pytest.fixture(scope="module")
def service(provider, service_home):
    join_team(service_home, provider.url, "johndoe", "north", SINCE, None, "rota")
    issuer = with_sign_in(provider.url)
    with client_of(service_home, environment="production", oidc=(issuer,), public_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def client(service, provider):
    """A fresh browser; the provider signs everybody in as ``johndoe``, a pharmacist of the north team."""
    signs_in(provider)
    service.cookies.clear()
    return service


def signs_in(provider, *, how=None, **claims):
    """What the provider will say of the next person to sign in."""
    provider.ask("change", claims={"role": "R8000", "name": "Jo Doe"} | claims, **(how or {}))


def away(client):
    """Press the button and sign in at the provider: the address that it sends the browser back to."""
    assert 'href="/sign-in/with/0"' in client.get("/sign-in").text
    leaving = client.get("/sign-in/with/0")
    assert leaving.status_code == 303
    with httpx2.Client() as outside:
        return leaving.headers["location"], outside.get(leaving.headers["location"]).headers["location"]


def come_back(client, back):
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")


def kinds(home_client):
    with home_client.app.state.service.database.read() as connection:
        return list(connection.execute(select(audit_events.c.action, audit_events.c.actor, audit_events.c.role)))


def is_refused(client, answer, status=403):
    assert answer.status_code == status, answer.text
    assert "upstream_session" not in answer.headers.get("set-cookie", "")
    assert client.get("/").headers["location"] == "/sign-in"


def test_somebody_signs_in_sees_their_team_and_signs_out(client):
    there, back = away(client)
    asked = parse_qs(urlsplit(there).query)
    assert asked["response_type"] == ["code"] and asked["code_challenge_method"] == ["S256"]
    assert asked["scope"] == ["openid profile"] and asked["redirect_uri"] == ["http://127.0.0.1/sign-in/back"]
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    answer = come_back(client, back)
    assert answer.status_code == 200 and 'content="0; url=/"' in answer.text
    cookies = answer.headers.get_list("set-cookie")
    assert any("upstream_session" in c and "HttpOnly" in c and "SameSite=strict" in c for c in cookies)
    home = client.get("/")
    assert "North team" in home.text and "South team" not in home.text and "Jo Doe" in home.text
    assert client.get("/patients/S02").status_code == 404
    proof = home.text.split('name="proof" value="')[1].split('"')[0]
    assert client.post("/sign-out", data={"proof": proof}).status_code == 303
    assert client.get("/").headers["location"] == "/sign-in"


def test_a_session_and_a_token_of_one_person_are_one_actor_in_the_log(client, provider):
    come_back(client, away(client)[1])
    client.get("/patients/N03")
    token = provider.token(sub="johndoe")
    client.get("/v1/patients/N03", headers={"Authorization": f"Bearer {token}"})
    signed_in, by_page, by_token = [row for row in kinds(client) if row.action in ("signed_in", "person.seen")][-3:]
    assert signed_in.action == "signed_in" and signed_in.actor.startswith("oidc-")
    assert by_page.actor == by_token.actor == signed_in.actor and by_page.role == "pharmacist"


def test_somebody_who_leaves_a_team_loses_its_people_in_the_same_session(client, service_home, provider):
    join_team(service_home, provider.url, "leaver", "north", SINCE, None, "rota")
    signs_in(provider, sub="leaver")
    come_back(client, away(client)[1])
    assert client.get("/patients/N03").status_code == 200
    leave_team(service_home, provider.url, "leaver", "north", dt.datetime.now(dt.UTC).date(), "rota")
    assert client.get("/patients/N03").status_code == 404


def test_without_a_role_from_anybody_there_is_a_page_that_says_what_to_do(client, provider):
    signs_in(provider, role=None)
    answer = come_back(client, away(client)[1])
    is_refused(client, answer)
    assert "You have no role here" in answer.text and "<code>johndoe</code>" in answer.text
    assert kinds(client)[-1].action == "sign_in.without_role"


def test_an_assigned_role_is_used_if_the_provider_gives_none_until_it_is_withdrawn(client, service_home, provider):
    join_team(service_home, provider.url, "assigned", "north", SINCE, None, "rota")
    assign_role(service_home, provider.url, "assigned", "pharmacist", SINCE, None, "lead")
    signs_in(provider, sub="assigned", role=None)
    assert come_back(client, away(client)[1]).status_code == 200
    assert client.get("/patients/N03").status_code == 200
    token = provider.token(sub="assigned", role=None)
    assert client.get("/v1/patients/N03", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    withdraw_role(service_home, provider.url, "assigned", "pharmacist", dt.datetime.now(dt.UTC).date(), "lead")
    assert client.get("/patients/N03").headers["location"] == "/sign-in"


@pytest.mark.parametrize("claimed", ["R0001", ["R8000", "R9000"]], ids=["a role we do not know", "two roles at once"])
def test_an_assigned_role_does_not_replace_an_invalid_role_from_the_provider(client, service_home, provider, claimed):
    assign_role(service_home, provider.url, str(claimed), "pharmacist", SINCE, None, "lead")
    signs_in(provider, sub=str(claimed), role=claimed)
    is_refused(client, come_back(client, away(client)[1]))


# Cheating


def test_a_sign_in_answer_works_once(client):
    _, back = away(client)
    assert come_back(client, back).status_code == 200
    cookie = client.cookies.get("upstream_sign_in")
    assert cookie is None
    client.cookies.clear()
    is_refused(client, come_back(client, back), 400)


def test_a_code_is_used_up_even_by_an_answer_that_failed(client, provider):
    _, back = away(client)
    signs_in(provider, how={"status": 400})
    is_refused(client, come_back(client, back))
    signs_in(provider)
    is_refused(client, come_back(client, back), 400)


def test_a_replayed_code_under_a_fresh_state_is_refused(client):
    _, used = away(client)
    come_back(client, used)
    client.cookies.clear()
    _, fresh = away(client)
    code, own = (parse_qs(urlsplit(back).query)["code"][0] for back in (used, fresh))
    is_refused(client, come_back(client, fresh.replace(own, code)))


@pytest.mark.parametrize("change", [lambda state: state[:-1] + "!", lambda state: "", lambda state: "x" * 43])
def test_a_state_that_is_not_under_way_is_refused(client, change):
    _, back = away(client)
    state = parse_qs(urlsplit(back).query)["state"][0]
    is_refused(client, come_back(client, back.replace(state, change(state))), 400)


def test_nobody_finishes_a_sign_in_that_another_browser_began(client):
    """An attacker sends a victim the answer to the attacker's own sign-in, or takes the victim's."""
    _, back = away(client)
    client.cookies.clear()
    is_refused(client, come_back(client, back), 400)
    _, back = away(client)
    client.cookies.clear()
    client.cookies.set("upstream_sign_in", "of-another-sign-in")
    is_refused(client, come_back(client, back), 400)


def test_a_sign_in_that_took_too_long_is_refused(client):
    _, back = away(client)
    with client.app.state.service.database.write() as connection:
        connection.execute(update(sign_ins).values(expires_at=dt.datetime.now(dt.UTC)))
    is_refused(client, come_back(client, back), 400)


@pytest.mark.parametrize(
    "how",
    [
        {"claims": {"nonce": "of another sign-in"}},
        {"claims": {"nonce": None}},
        {"claims": {"aud": "another client"}},
        {"claims": {"aud": "upstream"}},
        {"claims": {"azp": "another client"}},
        {"claims": {"iss": "http://127.0.0.1:1"}},
        {"claims": {"exp": 1_700_000_000}},
        {"claims": {"sub": None}},
        {"unsigned": True},
        {"without": True},
        {"status": 400},
    ],
    ids=str,
)
def test_an_id_token_that_does_not_hold_is_refused(client, provider, how):
    signs_in(provider, how={name: value for name, value in how.items() if name != "claims"}, **how.get("claims", {}))
    is_refused(client, come_back(client, away(client)[1]))


def test_an_answer_that_names_another_issuer_is_refused(client):
    _, back = away(client)
    is_refused(client, come_back(client, f"{back}&iss=https://another.example"))


def test_a_refusal_of_the_provider_is_shown(client):
    _, back = away(client)
    code = parse_qs(urlsplit(back).query)["code"][0]
    is_refused(client, come_back(client, back.replace(f"code={code}", "error=access_denied")))


def test_new_keys_of_the_provider_are_found(client, provider, monkeypatch):
    monkeypatch.setattr("serving.security.oidc.COOL_DOWN_SECONDS", 0)
    provider.ask("rotate", kid="fresh")
    come_back(client, away(client)[1])
    assert client.get("/patients/N03").status_code == 200


def test_an_unreachable_provider_is_503_and_nothing_else_is_affected(client, provider, monkeypatch):
    monkeypatch.setattr("serving.security.oidc.COOL_DOWN_SECONDS", 0)
    come_back(client, away(client)[1])
    _, back = away(client)
    provider.ask("stop")
    try:
        answer = come_back(client, back)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert client.get("/patients/N03").status_code == 200
    finally:
        provider.ask("start")
    _, back = away(client)
    signs_in(provider, how={"status": 502})
    assert come_back(client, back).status_code == 503


# What may be set


def test_cookies_are_for_https_only_where_pages_are(provider, service_home):
    issuer = with_sign_in(provider.url)
    with client_of(
        service_home, environment="production", oidc=(issuer,), public_url="https://upstream.example"
    ) as opened:
        answer = opened.get("/sign-in/with/0", headers={"Host": "upstream.example"})
    assert "Secure" in answer.headers["set-cookie"] and "SameSite=lax" in answer.headers["set-cookie"]
    assert "https%3A%2F%2Fupstream.example%2Fsign-in%2Fback" in answer.headers["location"]


def test_a_client_secret_goes_to_the_provider_and_into_no_page_or_address(provider):
    issuer = with_sign_in(provider.url, client_secret="hush-hush")
    assert "hush" not in repr(issuer) and "hush" not in issuer.model_dump_json()


@pytest.mark.parametrize(
    ("public", "how"),
    [
        ("", {}),
        ("http://upstream.example", {}),
        ("https://upstream.example", {"authorize_url": "http://id.example/authorize"}),
        ("https://upstream.example", {"token_url": "http://id.example/token"}),
    ],
)
def test_settings_that_would_send_a_code_over_an_open_line_are_refused(public, how):
    with pytest.raises(ValidationError):
        ServiceSettings(oidc=(with_sign_in("https://id.example", **how),), public_url=public)


def test_signing_in_again_ends_the_session_before(client, provider):
    """Also where the browser sends no strict cookie on the way back from the provider."""
    come_back(client, away(client)[1])
    before = client.cookies["upstream_session"]
    assert client.get("/patients/N03").status_code == 200
    _, back = away(client)
    assert client.get("/patients/N03").status_code == 200, "until the new session is there"
    client.cookies.delete("upstream_session")
    come_back(client, back)
    assert client.cookies["upstream_session"] != before and client.get("/patients/N03").status_code == 200
    client.cookies.clear()
    assert client.get("/patients/N03", headers={"Cookie": f"upstream_session={before}"}).status_code == 303
    assert "session.ended" in [action for action, *_ in kinds(client)]
