"""Tokens, ids, dates and bodies that nobody thought of: every answer is an answer or one problem shape, never a 500."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.security.tokens import issue_token

KEYS = {"type", "title", "status", "detail", "request_id", "errors"}
ANY_TEXT = st.text(max_size=60)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80)
NUMBERS = st.one_of(st.integers(), st.floats(), st.just(10**400), st.just(-(10**30)))
DATES = st.one_of(
    ANY_TEXT,
    NUMBERS,
    st.none(),
    st.booleans(),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["2026-02-30", "0000-00-00", "9999-12-31", "0001-01-01", "٢٠٢٦-٠١-٠٥", "2026-1-5", "+002026-01-05"]
    ),
)
ANYTHING = st.recursive(
    st.one_of(ANY_TEXT, NUMBERS, st.none(), st.booleans()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def service(tmp_path_factory, made_home):
    """A client and the headers of a system of all teams."""
    import shutil

    from tests.serving.conftest import client_of

    home = shutil.copytree(made_home, tmp_path_factory.mktemp("fuzz") / "home")
    headers = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None)}"}
    with client_of(home) as client:
        yield client, headers


def sound(answer) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert set(answer.json()) == KEYS and answer.json()["status"] == answer.status_code


@FUZZ
@given(token=HEADER_TEXT)
def test_tokens(service, token):
    client, _ = service
    for header in (f"Bearer {token}".encode("latin-1"), token.encode("latin-1")):
        answer = client.get("/v1/teams", headers={b"Authorization": header})
        sound(answer)
        assert answer.status_code == 401


@FUZZ
@given(ident=st.one_of(ANY_TEXT, st.text("./\\%\x00'\";-", min_size=1, max_size=12)))
def test_ids(service, ident):
    from urllib.parse import quote

    client, headers = service
    written = quote(ident.encode("utf-8", "surrogatepass"), safe="")
    for path in (f"/v1/patients/{written}", f"/v1/teams/{written}/worklist"):
        sound(client.get(path, headers=headers))
    raw = quote(ident.encode("utf-16", "surrogatepass"), safe="")  # not UTF-8
    sound(client.get(f"/v1/patients/{raw}", headers=headers))


@FUZZ
@given(name=st.sampled_from(["outcome", "horizon", "ranking", "limit", "offset"]), value=st.one_of(ANY_TEXT, NUMBERS))
def test_queries(service, name, value):
    client, headers = service
    sound(client.get("/v1/teams/north/worklist", params={name: str(value)}, headers=headers))


def scored(service, body: object):
    client, headers = service
    sent = json.dumps(body).encode()  # NaN, Infinity and lone surrogates pass, as they do from careless clients
    answer = client.post("/v1/scores", content=sent, headers={**headers, "Content-Type": "application/json"})
    sound(answer)
    return answer


@FUZZ
@given(as_of=DATES, on=DATES, known=DATES)
def test_dates(service, as_of, on, known):
    row = {"taken_on": on, "known_on": known, "test": "wbc", "value": 5.0, "unit": "10*9/L"}
    scored(service, {"as_of": as_of, "people": [{"patient_id": "X1", "tables": {"results": [row]}}]})


@FUZZ
@given(ident=st.one_of(ANY_TEXT, st.just("\ud800"), NUMBERS), value=ANYTHING, extra=ANYTHING)
def test_people_and_rows(service, ident, value, extra):
    row = {"supplied_on": "2026-01-02", "medicine": "olanzapine", "days_supplied": value}
    scored(service, {"people": [{"patient_id": ident, "tables": {"supplies": [row]}}]})
    scored(service, {"people": [{"patient_id": "X1", "tables": {"supplies": extra}}]})


@FUZZ
@given(body=ANYTHING)
def test_bodies(service, body):
    assert scored(service, body).status_code == 422


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[" * 200_000, b'{"people":' * 5_000, b"1e999999", b'{"a":' + b"9" * 5_000 + b"}"],
    ids=range(6),
)
def test_bytes_that_are_no_json(service, body):
    client, headers = service
    answer = client.post("/v1/scores", content=body, headers={**headers, "Content-Type": "application/json"})
    sound(answer)
    assert answer.status_code in (400, 422)
