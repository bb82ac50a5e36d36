"""The demo sign-in: this machine only, this environment only, a strict cookie, forms that only our own pages can
send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, update

from serving.security.tokens import issue_token
from serving.settings import ServiceSettings
from serving.storage.tables import audit_events as events
from serving.storage.tables import tokens

CHOICE = {"choice": "pharmacist:north"}


def test_the_cookie_is_strict_and_out_of_reach_of_scripts(client):
    cookie = client.post("/sign-in", data=CHOICE).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=86400" in cookie, (
        "longer than the session, so that what a form holds when it ended is kept for its author"
    )


def test_production_has_no_sign_in(home, start):
    with start(home, environment="production") as client:
        assert client.post("/sign-in", data=CHOICE).status_code == 404
        assert "<form" not in client.get("/sign-in").text


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1"),
        ({"Forwarded": "for=127.0.0.1"}, "127.0.0.1"),
        ({}, "192.0.2.7"),
        ({}, ""),
    ],
    ids=["proxied", "proxied in the new way", "another machine", "unknown"],
)
def test_only_a_browser_on_this_machine_may_sign_in(made_home, start, headers, address):
    with start(made_home) as client:
        client._transport.client = (address, 1)
        assert client.post("/sign-in", data=CHOICE, headers=headers).status_code == 404


def test_a_host_name_that_resolves_to_this_machine_is_refused(client):
    """DNS rebinding: a page of elsewhere under a name that resolves to this machine."""
    assert client.post("/sign-in", data=CHOICE, headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_a_form_of_another_page_is_refused(client, headers):
    assert client.post("/sign-in", data=CHOICE, headers=headers).status_code == 403


def test_our_own_form_is_taken_even_without_a_referrer(client):
    assert (
        client.post("/sign-in", data=CHOICE, headers={"Sec-Fetch-Site": "same-origin", "Origin": "null"}).status_code
        == 303
    )


def test_a_choice_that_is_not_offered(client):
    assert client.post("/sign-in", data={"choice": "cmht_system"}).status_code == 422


def test_sign_out_needs_the_forms_proof_and_ends_the_session_on_the_server(browser):
    signed_in = browser("pharmacist:north")
    cookie = signed_in.cookies["upstream_session"]
    assert signed_in.post("/sign-out", data={"proof": "guess"}).status_code == 403
    page = signed_in.get("/").text
    proof = page.split('name="proof" value="')[1].split('"')[0]
    assert signed_in.post("/sign-out", data={"proof": proof}).status_code == 303
    signed_in.cookies.set("upstream_session", cookie)
    assert signed_in.get("/").status_code == 303


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::"])
def test_a_demo_that_others_could_reach_is_refused(host):
    with pytest.raises(ValidationError, match="loopback"):
        ServiceSettings(host=host, environment="demo")
    assert ServiceSettings(host=host, environment="production").host == host


def moved(client, **back):
    """Move the newest session's moments back in time."""
    with client.app.state.service.database.write() as connection:
        token_id = connection.scalar(
            select(tokens.c.token_id).where(tokens.c.kind == "session").order_by(tokens.c.created_at.desc()).limit(1)
        )
        row = connection.execute(select(tokens).where(tokens.c.token_id == token_id)).one()
        values = {name: (getattr(row, name) or row.created_at) - by for name, by in back.items()}
        connection.execute(update(tokens).where(tokens.c.token_id == token_id).values(values))
        return values


def last_use(client):
    with client.app.state.service.database.read() as connection:
        return connection.scalar(select(func.max(tokens.c.last_used_at)))


def test_every_page_of_the_demo_says_that_it_is_one_and_none_of_production_does(home, start):
    cookie = issue_token(home, "pharmacist", ["north"], "Noor", kind="session")
    for environment in ("demo", "production"):
        with start(home, environment=environment) as client:
            client.cookies.set("upstream_session", cookie)
            pages = [
                client.get(path) for path in ("/sign-in", "/", "/teams/north", "/patients/N00", "/status", "/model")
            ]
        assert {page.status_code for page in pages} == {200}
        banners = [page.text.split("<main")[0] for page in pages]
        assert ["without a password" in banner for banner in banners] == [environment == "demo"] * len(pages)


@pytest.fixture
def signed_in(home, start):
    with start(home) as client:
        assert client.post("/sign-in", data={"choice": "pharmacist:north"}).status_code == 303
        yield client


def test_a_session_that_nobody_uses_ends(signed_in):
    page = signed_in.get("/patients/N00").text
    form = {"proof": page.split('name="proof" value="')[1].split('"')[0], "key": "idle-form-1"}
    form |= {"actions": "not_reached", "medicines_reconciled": "no"}
    form |= {"allergies_up_to_date": "no", "side_effects_assessed": "no"}
    moved(signed_in, created_at=timedelta(minutes=29, seconds=50))
    assert signed_in.get("/livez").status_code == 200
    assert signed_in.get("/teams/north").status_code == 200
    moved(signed_in, created_at=timedelta(minutes=31), last_used_at=timedelta(minutes=31))
    late = signed_in.post("/patients/N00/reviews", data=form)
    assert (late.status_code, late.headers["location"]) == (303, "/sign-in?kept=1")
    assert signed_in.get("/teams/north").headers["location"] == "/sign-in"
    with signed_in.app.state.service.database.read() as connection:
        assert (
            connection.scalar(select(func.count()).select_from(events).where(events.c.action == "review.recorded")) == 0
        )


def test_use_is_written_down_once_a_minute_and_prolongs(signed_in):
    assert signed_in.get("/teams/north").status_code == 200
    assert last_use(signed_in) is None, "the first minute is that of the sign-in itself"
    for _ in range(3):
        moved(signed_in, created_at=timedelta(minutes=25), last_used_at=timedelta(minutes=25))
        assert signed_in.get("/teams/north").status_code == 200
    noted = last_use(signed_in)
    assert signed_in.get("/teams/north").status_code == 200
    assert last_use(signed_in) == noted and datetime.now(UTC) - noted < timedelta(minutes=1)


def test_a_session_ends_after_its_hours_however_much_it_is_used(signed_in):
    assert signed_in.get("/teams/north").status_code == 200
    moved(signed_in, expires_at=timedelta(hours=8))
    assert signed_in.get("/teams/north").headers["location"] == "/sign-in"


def test_the_sign_in_page_says_when_a_session_ends(home, start):
    with start(home, session_idle_minutes=12) as client:
        page = client.get("/sign-in").text
    assert "after 12 minutes without a click, and after 8 hours" in page


def test_a_session_that_never_goes_idle_cannot_be_configured():
    with pytest.raises(ValidationError):
        ServiceSettings(session_idle_minutes=0)
