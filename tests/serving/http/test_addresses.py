"""What load balancers, proxies and clients do that people do not: slashes at the end, probes by address, HEAD, no
Content-Type."""

from __future__ import annotations

import gzip
import json

import pytest
from pydantic import ValidationError

from serving.security.tokens import issue_token
from serving.settings import ServiceSettings

PUBLIC = "https://upstream.example.nhs.uk"
BODY = {"people": [{"patient_id": "one", "tables": {}}]}


@pytest.fixture(scope="module")
def public(shared_home, start_at):
    """A service behind a proxy that speaks TLS."""
    with start_at(shared_home, environment="production", public_url=PUBLIC, behind_proxy=True) as client:
        client.headers["Host"] = "upstream.example.nhs.uk"
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/scores/"),
        ("GET", "/sign-in/"),
        ("GET", "/static"),
        ("GET", "/static/"),
        ("GET", "/v1/teams/"),
        ("GET", "/v1/patients/N03/"),
        ("POST", "/v1/patients/N03/reviews/"),
        ("GET", "/patients/N03/"),
        ("GET", "/livez/"),
    ],
)
def test_a_slash_too_many_is_404_and_never_a_redirect(public, tokens, method, path):
    headers = {"Authorization": f"Bearer {tokens['everywhere']}", "X-Forwarded-Proto": "https"}
    answer = public.request(method, path, headers=headers, json=BODY if method == "POST" else None)
    assert answer.status_code in (404, 405) and "location" not in answer.headers


def test_browsers_are_told_to_keep_to_https_where_pages_are(public, client):
    for path in ("/livez", "/sign-in", "/v1/nothing"):
        assert public.get(path).headers["strict-transport-security"] == "max-age=31536000"
        assert "strict-transport-security" not in client.get(path).headers


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_may_call_a_process_by_its_own_address(public, tokens, path):
    headers = {"Authorization": f"Bearer {tokens['operator']}", "Host": "10.42.0.7:8000"}
    assert public.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/sign-in", "/version", "/v1/teams", "/v1/scores", "/livez/x"])
def test_only_probes_are_answered_under_an_unknown_host_name(public, path):
    assert public.get(path, headers={"Host": "10.42.0.7:8000"}).status_code == 400


def test_a_request_with_two_hosts_is_refused(public, tokens):
    """A proxy and a service that read different lines would send one person's request to another's address."""
    for second in ("evil.example", "upstream.example.nhs.uk"):
        headers = [
            ("Host", "upstream.example.nhs.uk"),
            ("Host", second),
            ("Authorization", f"Bearer {tokens['operator']}"),
        ]
        answer = public.get("/metrics", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:upstream:problem:several-hosts")


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/sign-in", "/version", "/openapi.json", "/static/page.css"]
)
def test_head_is_get_without_the_body(client, path):
    client.cookies.clear()
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code != 405
    assert head.content == b""
    for name in ("content-type", "content-length", "location"):
        assert head.headers.get(name) == got.headers.get(name)


def test_head_of_people_asks_who_is_calling(client, as_role):
    assert client.head("/v1/patients/N03").status_code == 401
    assert client.head("/v1/patients/N03", headers=as_role("cmht_system")).status_code == 200
    assert client.head("/v1/patients/N03", headers=as_role("auditor")).status_code == 403


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "nonsense", "application/xml"]
)
@pytest.mark.parametrize("path", ["/v1/scores", "/v1/patients/N03/reviews", "/v1/patients/N03/emergency-access"])
def test_a_body_that_does_not_say_it_is_json_is_415_and_the_answer_names_the_header(client, as_role, path, kind):
    role = "pharmacist" if path.endswith("access") else "cmht_system"
    headers = as_role(role) | ({"Content-Type": kind} if kind else {})
    answer = client.post(path, content=b'{"people": []}', headers=headers)
    assert answer.status_code == 415 and "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/fhir+json"])
def test_every_json_media_type_is_accepted(client, as_role, kind):
    headers = as_role("cmht_system") | {"Content-Type": kind}
    answer = client.post("/v1/scores", content=b'{"people": [{"patient_id": "a", "tables": {}}]}', headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "deflate, gzip", "nonsense"])
@pytest.mark.parametrize("path", ["/v1/scores", "/v1/scores/stream", "/v1/patients/N03/reviews", "/sign-in"])
def test_a_compressed_body_is_415_and_the_answer_names_what_is_read(client, as_role, path, coding):
    kind = {"/v1/scores/stream": "application/x-ndjson", "/sign-in": "application/x-www-form-urlencoded"}
    headers = as_role("cmht_system") | {"Content-Type": kind.get(path, "application/json"), "Content-Encoding": coding}
    answer = client.post(path, content=gzip.compress(json.dumps(BODY).encode()), headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "without compression" in answer.text


def test_a_body_that_says_it_is_not_compressed_is_read(client, as_role):
    headers = as_role("cmht_system") | {"Content-Encoding": "Identity"}
    assert client.post("/v1/scores", json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://trust.example.nhs.uk/upstream",
        "https://trust.example.nhs.uk/?a=b",
        "https://trust.example.nhs.uk/#pages",
        "https://sam@trust.example.nhs.uk",
        "http://trust.example.nhs.uk",
        "ftp://trust.example.nhs.uk",
    ],
)
def test_a_public_address_that_pages_could_not_be_reached_at_is_refused(url, tmp_path):
    with pytest.raises(ValidationError):
        ServiceSettings(home=tmp_path, public_url=url)


def test_a_trailing_slash_of_the_public_address_is_removed(tmp_path):
    assert ServiceSettings(home=tmp_path, public_url=PUBLIC + "/").public_url == PUBLIC


def test_behind_a_proxy_only_the_last_forwarded_address_counts(home, start):
    token = issue_token(home, "cmht_system", None)
    with start(home, stranger_rate_per_minute=1, behind_proxy=True, environment="production") as client:
        lines = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.9")]
        forged = [("X-Forwarded-For", "198.51.100.2"), ("X-Forwarded-For", "203.0.113.9")]
        statuses = [
            client.get("/v1/teams", headers=[("Authorization", "Bearer x"), *h]).status_code for h in (lines, forged)
        ]
        assert statuses == [401, 429]
        assert client.get("/v1/teams", headers=[("Authorization", f"Bearer {token}"), *forged]).status_code == 200
