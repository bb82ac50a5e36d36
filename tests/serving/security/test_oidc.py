"""Tokens of a real identity provider on loopback: what is trusted, what is not, changed keys, an unreachable
provider."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import time

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from pydantic import ValidationError
from sqlalchemy import select

from serving.security import oidc
from serving.security.memberships import MembershipError, assigned_role, join_team, leave_team, teams_of
from serving.security.oidc import Issuers, KeyCache, KeysUnavailable, Refused
from serving.settings import ServiceSettings
from serving.storage.tables import audit_events
from tests.serving.identity_provider import running, trusted


@pytest.fixture
def provider():
    with running() as opened:
        yield opened


@pytest.fixture
def call(provider, home, start):
    join_team(home, provider.url, "sam", "north", dt.date(2020, 1, 1), None, "rota")
    with start(home, oidc=(trusted(provider.url),)) as client:
        yield lambda token, path="/v1/patients/N03": client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_the_provider_says_who_and_our_memberships_say_whose_people(provider, call):
    token = provider.token()
    assert call(token).status_code == 200
    assert call(token, "/v1/patients/S02").status_code == 404
    assert call(provider.token(sub="newcomer")).status_code == 404
    assert call(provider.token(role="R9000"), "/v1/audit/events").status_code == 200


def test_a_known_person_without_a_role_gets_a_clear_answer(provider, call):
    for claims in ({"role": None}, {"role": "R0001"}, {"role": ["R8000", "R9000"]}):
        answer = call(provider.token(**claims))
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:upstream:problem:no-role")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another service"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
    ],
    ids=lambda claims: next(iter(claims.items())).__repr__(),
)
def test_claims_that_do_not_hold_are_401(provider, call, claims):
    assert call(provider.token(**claims)).status_code == 401


@pytest.mark.parametrize("exp", [3_155_760_000, 1e300, float("inf")], ids=["in 100 years", "never", "endless"])
def test_a_token_that_lives_too_long_is_401(exp):
    """A stolen token must not be valid for years: ``longest_hours`` of the issuer limits it, by default to one day."""
    assert not opens({"exp": exp if exp > 1e10 else int(time.time()) + exp})
    assert not opens({"exp": time.time() + 25 * 3600}) and opens({"exp": int(time.time()) + 23 * 3600})
    assert opens({"exp": int(time.time()) + 25 * 3600}, longest_hours=48)


@pytest.mark.parametrize(
    ("claims", "header", "opened"),
    [
        ({}, {}, True),
        ({"nonce": "n"}, {}, False),
        ({"at_hash": "h"}, {}, False),
        ({"token_use": "id"}, {}, False),
        ({"token_use": "access"}, {}, True),
        ({"nonce": "n"}, {"typ": "at+jwt"}, True),
    ],
)
def test_an_id_token_is_no_bearer_token(claims, header, opened):
    assert opens(claims, header) is opened


@pytest.mark.parametrize(
    ("header", "claims", "opened"),
    [({}, {}, False), ({"typ": "at+jwt"}, {}, True), ({}, {"token_use": "access"}, True)],
)
def test_where_the_audience_is_our_client_a_token_must_say_that_it_is_for_access(header, claims, opened):
    client = {
        "label": "NHS CIS2",
        "client_id": "upstream",
        "authorize_url": "https://id.example/a",
        "token_url": "https://id.example/t",
    }
    assert opens(claims, header, sign_in=client) is opened


def opens(claims, header=None, **settings):
    """True if a signed token with these claims is taken from its bearer."""
    key = RSAKey.generate_key(2048, {"kid": "a"})
    good = {"iss": "https://id.example", "aud": "upstream", "sub": "sam", "role": "R9000", "exp": int(time.time()) + 60}
    token = jwt.encode({"alg": "RS256", "kid": "a", **(header or {})}, good | claims, key)
    keys = KeySet([key]).as_dict(private=False)
    issuers = Issuers([trusted("https://id.example", **settings)], fetch=lambda _: keys)
    return issuers.caller(token, None, dt.date.today()) is not None


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_forged_signatures_are_401(provider, call):
    good = provider.token()
    header, claims, signature = good.split(".")
    body = json.loads(base64.urlsafe_b64decode(claims + "=="))
    unsigned = f"{_part({'alg': 'none', 'kid': 'first'})}.{claims}."
    # The public key used as if it were a shared secret: the classic confusion of algorithms.
    confused = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{claims}"
    mac = hmac.new(provider.url.encode(), confused.encode(), hashlib.sha256).digest()
    confused += "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    changed = f"{header}.{_part(body | {'sub': 'boss'})}.{signature}"
    own = RSAKey.generate_key(2048, {"kid": "first"})
    stranger = jwt.encode({"alg": "RS256", "kid": "first"}, body, own)
    pointing = provider.token(header={"jku": f"{provider.url}/jwks"})
    for token in (unsigned, confused, changed, stranger, pointing, "a.b.c", "....", f"{header}.{claims}"):
        assert call(token).status_code == 401
    assert call(good).status_code == 200


def test_new_keys_are_found_and_an_outage_stops_nobody(provider):
    now = [1000.0]
    issuers = Issuers([trusted(provider.url)], now=lambda: now[0])
    old = provider.token()
    issuers.verified(old)
    provider.ask("rotate", kid="second")
    new = provider.token(kid="second")
    with pytest.raises(Refused):  # still cooling down from the first fetch
        issuers.verified(new)
    now[0] += oidc.COOL_DOWN_SECONDS
    assert issuers.verified(new)[1]["sub"] == "sam"
    provider.ask("stop")
    now[0] += oidc.FRESH_SECONDS + 1
    assert issuers.verified(new) and issuers.verified(old)
    now[0] += oidc.STALE_SECONDS
    with pytest.raises(KeysUnavailable):
        issuers.verified(new)
    provider.ask("start")
    now[0] += oidc.COOL_DOWN_SECONDS
    assert issuers.verified(new)


def test_expiry_and_not_before_hold_to_the_second_at_the_leeway():
    """Expiry and not-before, second by second around a leeway of 30, with a clock of our own."""
    key = RSAKey.generate_key(2048, {"kid": "a"})
    claims = {"iss": "https://id.example", "aud": "upstream", "sub": "sam", "nbf": 1_000, "exp": 2_000}
    token = jwt.encode({"alg": "RS256", "kid": "a"}, claims, key)
    clock = [0]
    issuer = trusted("https://id.example", leeway_seconds=30)
    issuers = Issuers([issuer], fetch=lambda url: KeySet([key]).as_dict(), clock=lambda: clock[0])

    def holds(at):
        clock[0] = at
        try:
            return bool(issuers.verified(token))
        except Refused:
            return False

    assert [holds(at) for at in (969, 970, 1_000, 1_999, 2_029, 2_031)] == [False, True, True, True, True, False]
    none = Issuers(
        [issuer.model_copy(update={"leeway_seconds": 0})], lambda url: KeySet([key]).as_dict(), lambda: clock[0]
    )
    issuers = none
    assert [holds(at) for at in (999, 1_000, 1_999, 2_001)] == [False, True, True, False]


def test_a_provider_that_never_answered_is_503(home, start):
    claims = {"iss": "http://127.0.0.1:9", "aud": "upstream", "sub": "sam"}
    token = jwt.encode({"alg": "RS256", "kid": "first"}, claims, RSAKey.generate_key(2048))
    with start(home, oidc=(trusted("http://127.0.0.1:9"),)) as client:
        answer = client.get("/v1/teams", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


# Keys, with a clock of our own


def key_sets(*kids):
    return KeySet([RSAKey.generate_key(2048, {"kid": kid}) for kid in kids]).as_dict()


def test_a_flood_of_unknown_keys_fetches_once_per_cool_down():
    fetched, now, keys = [], [0.0], key_sets("a")
    cache = KeyCache("u", lambda url: fetched.append(url) or keys, lambda: now[0])
    for kid in ("x", "y", "z"):
        with pytest.raises(Refused):
            cache.find(kid)
    assert len(fetched) == 1
    now[0] += oidc.COOL_DOWN_SECONDS
    with pytest.raises(Refused):
        cache.find("x")
    assert len(fetched) == 2


def test_a_withdrawn_key_is_refused_after_the_next_fetch():
    now, sets = [0.0], [key_sets("a", "b"), key_sets("b")]
    cache = KeyCache("u", lambda url: sets.pop(0), lambda: now[0])
    assert cache.find("a")
    now[0] += oidc.FRESH_SECONDS + 1
    with pytest.raises(Refused):
        cache.find("a")


def test_an_invalid_answer_from_the_provider_keeps_the_known_keys():
    now, answers = [0.0], [key_sets("a"), {"keys": [{"kty": "RSA"}]}]
    cache = KeyCache("u", lambda url: answers.pop(0), lambda: now[0])
    cache.find("a")
    now[0] += oidc.FRESH_SECONDS + 1
    assert cache.find("a")


# What may be set


@pytest.mark.parametrize(
    "wrong",
    [{"algorithms": ["none"]}, {"algorithms": ["HS256"]}, {"algorithms": []}, {"jwks_url": "http://example.org/jwks"}],
)
def test_settings_that_would_open_a_door_are_refused(wrong):
    with pytest.raises(ValidationError):
        ServiceSettings(oidc=({"issuer": "i", "audience": "a", "jwks_url": "https://i/jwks", "roles": {}} | wrong,))


def test_memberships_begin_and_end_and_are_in_the_log(database):
    join_team(database, "i", "sam", "north", dt.date(2026, 1, 1), None, "rota")
    assert leave_team(database, "i", "sam", "north", dt.date(2026, 2, 1), "rota") == 1
    with database.read() as connection:
        on = {
            day: teams_of(connection, "i", "sam", dt.date.fromisoformat(day)).ids
            for day in ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01")
        }
        actions = list(connection.scalars(select(audit_events.c.action).order_by(audit_events.c.seq.desc()).limit(2)))
    assert list(on.values()) == [set(), {"north"}, {"north"}, set()]
    assert actions == ["membership.ended", "membership.began"]
    for end in (dt.date(2026, 1, 1), None):
        with pytest.raises(MembershipError):
            join_team(database, "i", "sam", "north", dt.date(2026, 1, 1), end, "rota")


def test_upstream_membership_puts_somebody_in_a_team(home, database):
    from typer.testing import CliRunner

    import upstream

    def say(*options):
        usual = ["membership", "--home", str(home), "--issuer", "i", "--subject", "sam", "--team", "north"]
        return CliRunner().invoke(upstream.app, [*usual, "--source", "rota", *options])

    assert say("--from", "2026-01-01").exit_code == 0
    with database.read() as connection:
        assert teams_of(connection, "i", "sam", dt.date(2026, 5, 1)).ids == {"north"}
    assert say("--to", "2026-03-01").exit_code == 0
    for options in (["--to", "2026-04-01"], [], ["--from", "soon"]):
        assert say(*options).exit_code == 1
    assert say("--role", "pharmacist", "--from", "2026-01-01").exit_code == 2


def test_upstream_membership_gives_a_role_where_the_provider_names_none(home, database):
    from typer.testing import CliRunner

    import upstream

    def say(*options):
        usual = ["membership", "--home", str(home), "--issuer", "i", "--subject", "sam", "--source", "lead"]
        return CliRunner().invoke(upstream.app, [*usual, *options]).exit_code

    def role():
        with database.read() as connection:
            return assigned_role(connection, "i", "sam", dt.date(2026, 5, 1))

    assert say("--role", "pharmacist", "--from", "2026-01-01") == 0 and role() == "pharmacist"
    assert say("--role", "auditor", "--from", "2026-01-01") == 0 and role() is None  # two at once are none
    assert say("--role", "auditor", "--to", "2026-02-01") == 0 and role() == "pharmacist"
    assert say("--role", "king", "--from", "2026-01-01") == 2
    assert say("--role", "operator", "--to", "2026-02-01") == 1
