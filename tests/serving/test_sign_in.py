"""The demo sign-in: this machine only, this environment only, a strict cookie, forms that only our own pages can send."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from serving.settings import Settings

CHOICE = {"choice": "pharmacist:north"}


def test_the_cookie_is_strict_and_out_of_reach_of_scripts(client):
    cookie = client.post("/sign-in", data=CHOICE).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=28800" in cookie


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


def test_a_name_that_points_here_is_not_enough(client):
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
        Settings(host=host, environment="demo")
    assert Settings(host=host, environment="production").host == host
