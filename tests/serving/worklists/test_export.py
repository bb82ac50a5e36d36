"""What leaves the service in bulk or again: the list as CSV for a team lead, answers that the caller holds already,
examples that work."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.http.problems import ProblemDetails
from serving.security.tokens import issue_token
from serving.worklists.export import COLUMNS, gap_words, safe
from serving.worklists.schemas import GapLine
from tests.serving.auditlog.test_log import last_event


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def lead(shared_home):
    return bearer(issue_token(shared_home, "pharmacist", ["north"], "lead", lead=True))


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_team_lead_takes_the_whole_list_away_and_everybody_on_it_is_in_the_log(client, shared_home, lead):
    answer = client.get("/v1/teams/north/worklist.csv", headers=lead)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="worklist-2026-01-05.csv"'
    event = last_event(shared_home)
    listed = client.get("/v1/teams/north/worklist", headers=lead).json()
    found = rows(answer)
    assert [row["patient_id"] for row in found] == [entry["patient_id"] for entry in listed["items"]]
    assert [float(row["probability"]) for row in found] == pytest.approx(
        [entry["probability"] for entry in listed["items"]], abs=1e-6
    )
    assert tuple(found[0]) == COLUMNS and {row["synthetic"] for row in found} == {"True"}
    assert event["action"] == "worklist.exported"
    assert set(json.loads(event["patient_ids"])) >= {row["patient_id"] for row in found}


def test_only_the_lead_of_the_team_may(client, shared_home, lead):
    member = bearer(issue_token(shared_home, "pharmacist", ["north"]))
    refused = client.get("/v1/teams/north/worklist.csv", headers=member)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:upstream:problem:not-team-lead")
    assert client.get("/v1/teams/south/worklist.csv", headers=lead).status_code == 404


def test_the_page_offers_it_to_the_lead_as_the_list_is_shown(browser):
    signed_in = browser("pharmacist:north")
    assert "worklist.csv" in signed_in.get("/teams/north").text
    shown = signed_in.get("/teams/north/worklist.csv?view=disengagement-180&ranking=gaps")
    assert {(row["outcome"], row["horizon_days"]) for row in rows(shown)} == {("disengagement", "180")}
    of_all = browser("pharmacist")
    assert "worklist.csv" not in of_all.get("/teams/north").text
    assert of_all.get("/teams/north/worklist.csv").status_code == 403


def test_a_filter_cuts_the_file_too(client, lead):
    everybody = rows(client.get("/v1/teams/north/worklist.csv", headers=lead))
    some = rows(client.get("/v1/teams/north/worklist.csv?reviewed=never&gap=none-such", headers=lead))
    assert len(some) < len(everybody)


@pytest.mark.parametrize(
    ("status", "verified", "words"),
    [
        (None, True, "Lithium level overdue"),
        (None, False, "Lithium level overdue (not yet verified)"),
        ("Booked until 12 January 2026", True, "Lithium level overdue (Booked until 12 January 2026)"),
        (
            "Booked until 12 January 2026",
            False,
            "Lithium level overdue (Booked until 12 January 2026; not yet verified)",
        ),
    ],
)
def test_a_gap_is_named_with_its_status_and_whether_it_is_verified(status, verified, words):
    line = GapLine("LI_LEVEL_OVERDUE", "Lithium level overdue", "high", True, 20.0, verified, True, status)
    assert gap_words(line) == words


def test_the_file_says_of_each_gap_what_the_list_says(client, lead):
    listed = client.get("/v1/teams/north/worklist", headers=lead).json()["items"]
    found = {
        row["patient_id"]: row["care_gaps"] for row in rows(client.get("/v1/teams/north/worklist.csv", headers=lead))
    }
    unverified = [(one["patient_id"], gap["title"]) for one in listed for gap in one["gaps"] if not gap["verified"]]
    assert unverified
    for patient, title in unverified:
        assert f"{title} (" in found[patient] and "not yet verified)" in found[patient]


@given(st.text(max_size=20) | st.sampled_from(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]))
def test_no_cell_is_ever_run_as_a_formula(text):
    assert not safe(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe(text).removeprefix("'") == text.removeprefix("'")


# Answers that the caller holds already


@pytest.mark.parametrize("path", ["/v1/teams/north/worklist", "/v1/patients/N03"])
def test_what_the_caller_holds_is_not_sent_again_and_is_still_in_the_log(client, shared_home, as_role, path):
    headers = as_role("cmht_system")
    first = client.get(path, headers=headers)
    again = client.get(path, headers=headers | {"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["cache-control"] == "no-store"
    event = last_event(shared_home)
    assert event["request_id"] == again.headers["x-request-id"] and json.loads(event["patient_ids"])
    assert client.get(path, headers=headers | {"If-None-Match": '"other"'}).content == first.content


def test_a_change_changes_the_tag(home, start):
    headers = bearer(issue_token(home, "pharmacist", ["north"]))
    review = {
        "actions": ["gp_informed"],
        "medicines_reconciled": True,
        "allergies_up_to_date": True,
        "side_effects_assessed": True,
    }
    with start(home) as client:
        before = client.get("/v1/patients/N03", headers=headers).headers["etag"]
        client.post("/v1/patients/N03/reviews", json=review, headers=headers | {"Idempotency-Key": "a-new-review"})
        after = client.get("/v1/patients/N03", headers=headers | {"If-None-Match": before})
    assert after.status_code == 200 and after.headers["etag"] != before


# The examples of the interface


def examples(document):
    """Every request body that the interface gives as an example: ``(method, path, body)``."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                if not name:
                    continue
                for body in document["components"]["schemas"][name].get("examples", ()):
                    yield method, path, body


def test_every_example_works(client, as_role):
    document = client.get("/openapi.json").json()
    found = list(examples(document))
    with_body = [
        path for path, ops in document["paths"].items() for operation in ops.values() if "requestBody" in operation
    ]
    # Lines of NDJSON, and what other systems send by their own specifications, have tests of their own.
    others = ("/v1/scores/stream", "/cds-services", "/messages/")
    with_body = [path for path in with_body if not path.startswith(others)]
    assert sorted(path for _, path, _ in found) == sorted(with_body)
    for method, path, body in found:
        role = "cmht_system" if path.startswith("/v1/scores") or "what" in path else "pharmacist"
        headers = as_role(role) | {"Idempotency-Key": "of-an-example"}
        whom = "S03" if path.endswith("emergency-access") else "N03"  # an emergency is of another team
        answer = client.request(
            method,
            path.replace("{patient_id}", whom).replace("{code}", "ALLERGY_NOT_RECORDED"),
            json=body,
            headers=headers,
        )
        assert answer.status_code in (200, 201), (path, answer.text)
        if path == "/v1/scores":
            (person,) = answer.json()["people"]
            assert not person["flags"]["set_aside"], "a row of the example was set aside"


def test_examples_of_questions_work_and_the_example_of_an_error_is_one(client, as_role):
    document = client.get("/openapi.json").json()
    for parameter in document["paths"]["/v1/teams/{team_id}/worklist"]["get"]["parameters"]:
        for example in parameter["schema"].get("examples", ()):
            query = {parameter["name"]: example}
            answer = client.get("/v1/teams/north/worklist", params=query, headers=as_role("pharmacist"))
            assert answer.status_code == 200, query
    (error,) = document["components"]["schemas"]["ProblemDetails"]["examples"]
    assert ProblemDetails.model_validate(error).status == 422
