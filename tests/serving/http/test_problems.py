"""One shape for every error, and no error repeats what was submitted. The canary is a name that could be a person's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.app import access_of
from serving.openapi import document
from serving.security.tokens import issue_token

CANARY = "Canary-9434765919"
PERSON = {"patient_id": "X1", "tables": {}}


def rows(**row):
    return {"people": [{"patient_id": "X1", "tables": {"supplies": [row]}}]}


WRONG_BODIES = {
    "not json": f'{{"people": {CANARY}',
    "unknown column": rows(**{CANARY: 1}),
    "unknown table": {"people": [{"patient_id": "X1", "tables": {CANARY: []}}]},
    "unknown field": {"people": [PERSON], CANARY: 1},
    "cell expected": rows(days_supplied=[CANARY]),
    "cell expected, not an object": rows(as_required={CANARY: CANARY}),
    "text expected": rows(medicine=[CANARY]),
    "text too long": rows(medicine=CANARY * 50),
    "another person's row": rows(patient_id=CANARY),
    "date expected": {"as_of": CANARY, "people": [PERSON]},
    "person twice": {"people": [{"patient_id": CANARY, "tables": {}}] * 2},
    "nobody": {"people": []},
    "too many": {"people": [{"patient_id": f"{CANARY}{i}", "tables": {}} for i in range(501)]},
    "list expected": {"people": CANARY},
    "whole body wrong": [CANARY],
}


def is_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "request_id", "errors"}
    assert body["status"] == status and body["request_id"] == answer.headers["x-request-id"]
    assert CANARY not in answer.text and CANARY not in str(answer.headers)
    return body


@pytest.mark.parametrize("case", WRONG_BODIES)
def test_a_wrong_body_is_a_problem_without_its_values(client, as_role, case):
    body = WRONG_BODIES[case]
    content = (
        {"content": body, "headers": {"Content-Type": "application/json"}}
        if isinstance(body, str)
        else {"json": body, "headers": {}}
    )
    answer = client.post("/v1/scores", **{**content, "headers": {**content["headers"], **as_role("cmht_system")}})
    assert is_problem(answer, 422)["errors"]


def test_an_error_names_the_place(client, as_role):
    answer = client.post("/v1/scores", json=rows(days_supplied=[CANARY]), headers=as_role("cmht_system"))
    assert answer.json()["errors"] == [
        {
            "where": "body.people[0].tables.supplies[0].days_supplied",
            "what": "must be a text, a number, true, false or null",
        }
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/v1/{CANARY}", 404),
        (f"/v1/patients/{CANARY}", 404),
        (f"/v1/teams/{CANARY}/worklist", 404),
        (f"/v1/teams/north/worklist?limit={CANARY}", 422),
        (f"/v1/teams/north/worklist?outcome={CANARY}", 422),
        (f"/v1/teams/north/worklist?ranking={CANARY}", 422),
        ("/v1/teams/north/worklist?limit=0", 422),
        ("/v1/teams/north/worklist?limit=100000", 422),
        ("/v1/teams/north/worklist?horizon=91", 422),
    ],
)
def test_wrong_addresses(client, as_role, path, status):
    is_problem(client.get(path, headers=as_role("cmht_system")), status)


def test_wrong_method_and_a_body_beyond_the_limit(home, start):
    with start(home, max_body_bytes=200) as client:
        is_problem(client.delete("/v1/teams"), 405)
        refused = client.delete("/v1/patients/N03/reviews")
        is_problem(refused, 405)
        assert refused.headers["allow"] == "GET, POST"
        token = issue_token(home, "cmht_system", None)
        body = json.dumps(rows(medicine=CANARY * 20)).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        is_problem(client.post("/v1/scores", content=body, headers=headers), 413)
        is_problem(client.post("/v1/scores", content=iter([body[:150], body[150:]]), headers=headers), 413)


def test_an_unexpected_error_says_nothing_of_its_text(client, as_role, monkeypatch, caplog):
    import serving.worklists.endpoints as module

    def fails(*_args, **_kwargs):
        raise KeyError(CANARY)

    monkeypatch.setattr(module, "list_teams", fails)
    is_problem(client.get("/v1/teams", headers=as_role("cmht_system")), 500)
    assert "KeyError" in caplog.text and CANARY not in caplog.text


def test_pages_show_the_same_problems_without_values(browser):
    signed_in = browser("pharmacist:north")
    for path in (f"/patients/{CANARY}", f"/teams/north?view={CANARY}", f"/{CANARY}"):
        answer = signed_in.get(path)
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"].startswith("text/html")
        assert CANARY not in answer.text


def test_every_answer_carries_the_security_headers(client, as_role):
    for path in ("/livez", "/v1/teams", "/sign-in", "/v1/nothing", "/patients/N03"):
        headers = client.get(path, headers=as_role("cmht_system")).headers
        assert headers["cache-control"] == "no-store"
        assert (
            "default-src 'none'" in headers["content-security-policy"]
            and "unsafe" not in headers["content-security-policy"]
        )
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


def test_the_committed_openapi_is_the_running_one():
    committed = (Path(__file__).parents[3] / "docs" / "openapi.json").read_text()
    assert document() == committed, "the interface changed; run: python -m serving.openapi docs/openapi.json"


def test_openapi_holds_every_json_route_and_no_page(client):
    paths = client.get("/openapi.json").json()["paths"]
    routes = {route.split(" ")[1] for route in access_of(client.app)}
    assert set(paths) == {
        path for path in routes if path.startswith(("/v1/", "/cds-services", "/fhir/", "/messages/"))
    } | {
        "/livez",
        "/readyz",
        "/version",
        "/metrics",
    }


def test_openapi_declares_every_error_of_every_route_in_one_shape(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            answers = operation["responses"]
            assert {"400", "401", "403", "404", "409", "413", "422", "429", "500", "503"} <= set(answers), path
            shapes = [a["content"] for s, a in answers.items() if s >= "400" and (path, s) != ("/readyz", "503")]
            for content in shapes:
                if path.startswith("/fhir/"):
                    [(media, described)] = content.items()
                    assert media == "application/fhir+json"
                    assert described["schema"]["properties"] == {"resourceType": {"const": "OperationOutcome"}}
                    continue
                assert content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}
