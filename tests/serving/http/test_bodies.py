"""A request proves who it is before its body is read; a large body is read in steps, in a thread, and let go of."""

from __future__ import annotations

import json
import threading

import pytest

from serving.http import bodies
from serving.scoring import endpoints, reading
from serving.scoring.reading import Unreadable, read_scores
from tests.serving.http.test_problems import WRONG_BODIES

LARGE = 30_000_000


def asked(client, path, headers, length=LARGE, method="POST"):
    """The status of a request, and whether anything of its body was read: the application itself is called, with a
    body that never ends."""
    reads, sent = [], []

    async def receive():
        reads.append(1)
        return {"type": "http.request", "body": b"{" * 60_000, "more_body": True}

    async def send(message):
        sent.append(message)

    lines = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(length)}
    lines |= {name.lower(): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in lines.items() if value],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
    }
    client.portal.call(client.app, scope, receive, send)
    return sent[0]["status"], len(reads)


@pytest.mark.parametrize("length", [LARGE, ""], ids=["announced", "in chunks"])
@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("/v1/scores", None, 401),
        ("/v1/scores", "pharmacist", 403),
        ("/v1/patients/N03/reviews", None, 401),
        ("/v1/patients/N03/reviews", "auditor", 403),
        ("/v1/patients/N03/emergency-access", None, 401),
        ("/patients/N03/reviews", None, 303),
        ("/sign-out", None, 303),
        ("/emergency-access", None, 303),
        ("/v1/nothing", None, 404),
    ],
)
def test_no_body_is_read_from_a_caller_without_permission(client, as_role, path, role, status, length):
    client.cookies.clear()
    assert asked(client, path, as_role(role) if role else {}, length) == (status, 0)


@pytest.mark.parametrize("path", ["/sign-in", "/v1/patients/N03/reviews"])
def test_a_route_that_needs_little_reads_little(client, as_role, path):
    form = {"Content-Type": "application/x-www-form-urlencoded"} if path == "/sign-in" else as_role("cmht_system")
    assert asked(client, path, form) == (413, 0)
    status, reads = asked(client, path, form, length="")
    assert status == 413 and reads * 60_000 <= bodies.SMALL_BODY + 60_000


def test_a_body_that_does_not_come_is_408(client, as_role, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.0)
    assert asked(client, "/v1/scores", as_role("cmht_system"))[0] == 408


@pytest.mark.parametrize("headers", [{"X": "a" * 40_000}, {f"X{n}": "a" * 400 for n in range(100)}])
def test_headers_that_are_too_large_are_431(client, headers):
    assert client.get("/livez", headers=headers).status_code == 431


@pytest.mark.parametrize("secret", ["[" * 9_000, "a" * 20_000, "W" * 9_000 + ".e30.x", " ", "."])
def test_a_bearer_header_of_any_shape_is_401(client, secret):
    assert client.get("/v1/teams", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


# How a large body is read


def a_request(people=3, rows=250):
    supply = {
        "medicine": "olanz} {apine \\" + '"',
        "supplied_on": "2025-06-01",
        "days_supplied": 28,
        "as_required": None,
    }
    contact = {"contact_id": "c", "team_id": "t", "contact_on": "2025-06-01"}
    return {
        "as_of": "2026-01-05",
        "people": [
            {"patient_id": f"P{n}", "tables": {"supplies": [supply] * rows, "contacts": [contact], "results": []}}
            for n in range(people)
        ],
    }


@pytest.mark.parametrize("indent", [None, 2])
def test_reading_a_body_in_steps_gives_the_same_request(indent):
    for whole in (a_request(), {"people": [{"patient_id": "a", "tables": {}}]}, a_request(1, 0)):
        body = json.dumps(whole, indent=indent).encode()
        assert read_scores(body, one_go=0) == read_scores(body, one_go=len(body))
    assert read_scores(json.dumps(a_request()).encode("utf-16"), one_go=0) == read_scores(
        json.dumps(a_request()).encode()
    )


def faults(body, one_go):
    with pytest.raises(Unreadable) as found:
        read_scores(body, one_go)
    return found.value.faults


@pytest.mark.parametrize("case", WRONG_BODIES)
def test_reading_a_body_in_steps_finds_the_same_faults(case):
    body = WRONG_BODIES[case]
    body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert faults(body, len(body)) and faults(body, 0)


def test_a_fault_in_steps_names_its_place():
    wrong = a_request(2, 700)
    wrong["people"][1]["tables"]["supplies"][650] = {"medicine": "x", "days_supplied": ["many"]}
    found = faults(json.dumps(wrong).encode(), 0)
    assert {fault["loc"] for fault in found} == {("body", "people", 1, "tables", "supplies", 650, "days_supplied")}
    assert {fault["type"] for fault in found} == {"cell_type"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"people"' * 1_000,
        b"[" * 100_000,
        b'{"people": [{"patient_id": "a", "tables": {"supplies": [' + b"[" * 100_000,
        b'{"people": [{"patient_id": "a", "tables": {"supplies": [{"medicine": ' + b"[" * 100_000 + b"}" * 100_000,
        b'{"people": [{"patient_id": "a", "tables": {"supplies": [{"medicine": "' + b"}" * 100_000 + b'"}]}}]}',
        b'{"people": [{"patient_id": "a", "tables": {"results": [{"value": NaN}]}}]}',
        b'{"people": [{"patient_id": "a", "tables": {"results": [{"value": 1' + b"0" * 5_000 + b"}]}}]}",
        b'{"people": [], "people": [{"patient_id": "a", "tables": {}}]}',
        b'{"people": [{"patient_id": "a", "tables": {}}]} {"people": []}',
        b'{"people": [{"patient_id": "a", "tables": {}},]}',
        b'{"people": [{"patient_id": "a", "tables": {}}',
        b'\xff\xfe\xfa"',
        b"",
        b"null",
    ],
)
def test_hostile_bodies_are_faults(body):
    assert faults(body, 0)


def test_a_body_is_read_in_another_thread_than_the_one_that_answers_probes(client, as_role, monkeypatch):
    seen = []
    monkeypatch.setattr(endpoints, "read_scores", lambda body: seen.append(threading.get_ident()) or read_scores(body))
    headers = as_role("cmht_system")
    client.post("/v1/scores", json=a_request(1, 1), headers=headers)
    assert seen and seen != [client.portal.call(threading.get_ident)]


def test_a_large_body_is_never_handed_to_the_compiled_reader_as_a_whole(monkeypatch):
    """The compiled readers keep everybody else waiting until they are done, so what they get is small."""
    handed = []

    class Watched(json.JSONDecoder):
        def raw_decode(self, text, at=0):
            value, end = super().raw_decode(text, at)
            handed.append(end - at)
            return value, end

    monkeypatch.setattr(reading.json, "JSONDecoder", Watched)
    monkeypatch.setattr(reading.json, "loads", lambda *_: pytest.fail("read in one go"))
    body = json.dumps(a_request(20, 2_000)).encode()
    assert len(body) > 4_000_000
    assert len(read_scores(body).people) == 20
    assert max(handed) < 200


def test_what_was_wrong_with_a_body_holds_nothing_of_it(client, as_role):
    """The exception is all that is left of a body that was refused."""
    with pytest.raises(Unreadable) as found:
        read_scores(b'{"people": [' + b'"Canary-9434765919",' * 20_000)
    assert "Canary" not in repr(vars(found.value)) and found.value.__context__ is None
