"""Risks, care gaps and proposals as FHIR R4: what outside validators accept, and what none of them can know."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from serving.fhir.ids import person_of, person_part, resource_id, split
from tests.conftest import ROOT

KINDS = ("RiskAssessment", "DetectedIssue", "Task", "ServiceRequest")
PERSON = "N00"


@pytest.fixture
def search(client, as_role):
    def asked(kind, patient=PERSON, role="pharmacist"):
        answer = client.get(f"/fhir/{kind}", params={"patient": f"Patient/{patient}"}, headers=as_role(role))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/fhir+json"
        return [entry["resource"] for entry in answer.json().get("entry", ())]

    return asked


@pytest.fixture
def everything(search):
    return [one for kind in KINDS for person in (f"N{i:02d}" for i in range(8)) for one in search(kind, person)]


def test_a_probability_is_a_percentage_and_its_proportion_goes_along(client, as_role, search):
    """No validator tells 8.3 from 0.083. R4: "Decimal values are expressed as percentages as well (max = 100)"."""
    person = client.get(f"/v1/patients/{PERSON}", headers=as_role("pharmacist")).json()
    risks = {(risk["outcome"], risk["horizon_days"]): risk["probability"] for risk in person["risks"]}
    found = {}
    for assessment in search("RiskAssessment"):
        outcome = assessment["code"]["coding"][0]["code"]
        for prediction in assessment["prediction"]:
            days = dt.datetime.fromisoformat(prediction["whenPeriod"]["end"]).date() - dt.date(2026, 1, 5)
            [extension] = prediction["extension"]
            assert extension["url"] == "urn:upstream:probability-as-proportion"
            assert prediction["probabilityDecimal"] == pytest.approx(100 * extension["valueDecimal"], abs=1e-5)
            found[outcome, days.days] = extension["valueDecimal"]
    assert found == risks
    assert all(0.01 < risk < 0.99 for risk in risks.values()), "a test of percentages needs risks of more than 1 in 100"


def test_a_period_is_half_open_in_london_time(search):
    """As of 5 January for 180 days: the clocks change on the way."""
    [assessment] = [one for one in search("RiskAssessment") if one["id"].startswith("admission")]
    assert [prediction["whenPeriod"] for prediction in assessment["prediction"]] == [
        {"start": "2026-01-05T00:00:00+00:00", "end": "2026-02-02T00:00:00+00:00"},
        {"start": "2026-01-05T00:00:00+00:00", "end": "2026-04-05T00:00:00+01:00"},
        {"start": "2026-01-05T00:00:00+00:00", "end": "2026-07-04T00:00:00+01:00"},
    ]


def test_no_resource_uses_words_of_low_risk_or_a_low_severity(everything):
    text = json.dumps(everything).lower()
    for banned in ("qualitativerisk", "low risk", "lower risk", "negligible", "suicid", '"low"'):
        assert banned not in text
    assert {one.get("severity") for one in everything if one["resourceType"] == "DetectedIssue"} <= {
        "high",
        "moderate",
        None,
    }


def test_the_relative_risk_is_against_the_team_s_median(client, as_role, search):
    person = client.get(f"/v1/patients/{PERSON}", headers=as_role("pharmacist")).json()
    [assessment] = [one for one in search("RiskAssessment") if one["id"].startswith("disengagement")]
    for prediction, days in zip(assessment["prediction"], (90, 180), strict=True):
        middle = person["team"]["middle"][f"disengagement_{days}"]
        proportion = prediction["extension"][0]["valueDecimal"]
        assert prediction["relativeRisk"] == pytest.approx(proportion / middle, abs=1e-3)


def test_a_gap_is_an_issue_with_its_rows_and_a_proposal_is_its_task(search):
    [issue] = [one for one in search("DetectedIssue") if one["id"] == "CLZ-FBC-OVERDUE.N00"]
    assert issue["severity"] == "high"
    assert issue["code"]["text"] == "Clozapine blood count: 186 days overdue"
    assert issue["reference"] == "urn:upstream:standard:CLZ_FBC_OVERDUE"
    assert issue["evidence"][0]["detail"][0]["identifier"]["system"] == "urn:upstream:record-row"
    [task] = [one for one in search("Task") if one["id"] == issue["id"]]
    assert (task["intent"], task["status"], task["priority"]) == ("proposal", "draft", "urgent")
    assert task["reasonReference"] == {"reference": "DetectedIssue/CLZ-FBC-OVERDUE.N00"}
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", task["restriction"]["period"]["end"])
    [request] = search("ServiceRequest")
    assert (request["intent"], request["status"]) == ("proposal", "draft")
    assert request["code"]["text"] == "Full blood count"


def test_synthetic_data_is_tagged_in_every_resource(everything):
    assert everything
    for one in everything:
        assert one["meta"]["tag"] == [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]


def test_fhirkit_accepts_every_resource(client, everything):
    fhirkit = pytest.importorskip("fhirkit", reason="fhirkit-rs is not installed (extra [test])")
    statement = client.get("/fhir/metadata").json()
    for one in [*everything, statement]:
        wrong = [issue for issue in fhirkit.validate(json.dumps(one)) if issue.severity == "error"]
        assert not wrong, (one["resourceType"], [str(issue) for issue in wrong])


def test_fhir_resources_accepts_every_resource(client, as_role, everything):
    r4b = pytest.importorskip("fhir.resources.R4B", reason="fhir.resources is not installed (extra [test])")
    bundle = client.get("/fhir/Task", params={"patient": PERSON}, headers=as_role("pharmacist")).json()
    refused = client.get("/fhir/Task", headers=as_role("pharmacist")).json()
    for one in [*everything, client.get("/fhir/metadata").json(), bundle, refused]:
        r4b.get_fhir_model_class(one["resourceType"]).model_validate(one)


@pytest.fixture(scope="module")
def medplum(tmp_path_factory):
    """What Medplum's definitions of R4 have against resources: one list for each."""
    installed = ROOT / ".tools" / "records" / "node_modules"
    if shutil.which("node") is None or not installed.exists():
        pytest.skip("make records fetches Medplum's definitions (needs npm)")
    folder = tmp_path_factory.mktemp("medplum")
    (folder / "node_modules").symlink_to(installed)
    shutil.copy(Path(__file__).with_name("medplum.mjs"), folder)

    def validated(resources):
        lines = "".join(json.dumps(one) + "\n" for one in resources)
        done = subprocess.run(
            ["node", "medplum.mjs"], cwd=folder, input=lines, capture_output=True, text=True, timeout=600, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return validated


def test_medplum_accepts_every_resource(client, as_role, everything, medplum):
    bundle = client.get("/fhir/Task", params={"patient": PERSON}, headers=as_role("pharmacist")).json()
    refused = client.get("/fhir/Task", headers=as_role("pharmacist")).json()
    resources = [*everything, client.get("/fhir/metadata").json(), bundle, refused]
    found = medplum(resources)
    assert len(found) == len(resources)
    assert [(one["resourceType"], wrong) for one, wrong in zip(resources, found, strict=True) if wrong] == []


def test_medplum_refuses_what_is_wrong(search, medplum):
    [assessment, *_] = search("RiskAssessment")
    [without], [unknown] = medplum([{**assessment, "status": None}]), medplum([{**assessment, "grade": "low"}])
    assert without and unknown


def test_each_resource_is_read_by_its_id(client, as_role, search):
    for kind in KINDS:
        for one in search(kind):
            answer = client.get(f"/fhir/{kind}/{one['id']}", headers=as_role("pharmacist"))
            assert answer.json() == one


def test_errors_are_operation_outcomes_that_repeat_nothing(client, as_role):
    mine = as_role("pharmacist")
    for path, headers, status, code in (
        ("/fhir/RiskAssessment", {}, 401, "login"),
        ("/fhir/RiskAssessment", mine, 400, "invalid"),
        ("/fhir/RiskAssessment?patient=N00&subject=N01", mine, 400, "invalid"),
        ("/fhir/RiskAssessment?patient=9434765919", mine, 422, "invalid"),
        ("/fhir/RiskAssessment?patient=S02", mine, 404, "not-found"),
        ("/fhir/RiskAssessment/admission.S02", mine, 404, "not-found"),
        ("/fhir/RiskAssessment/nonsense", mine, 404, "not-found"),
        ("/fhir/Observation?patient=N00", mine, 404, "not-found"),
        ("/fhir/RiskAssessment?patient=N00", as_role("auditor"), 403, "forbidden"),
    ):
        answer = client.get(path, headers=headers)
        body = answer.json()
        assert (answer.status_code, body["resourceType"], body["issue"][0]["code"]) == (
            status,
            "OperationOutcome",
            code,
        ), path
        assert answer.headers["content-type"] == "application/fhir+json"
        assert "9434765919" not in answer.text
        assert "S02" not in answer.text


def test_a_search_takes_a_reference_or_an_id(client, as_role):
    for query in ("patient=N00", "patient=Patient/N00", "subject=Patient/N00"):
        assert client.get(f"/fhir/RiskAssessment?{query}", headers=as_role("pharmacist")).json()["total"] == 2


@pytest.mark.parametrize("patient", ["N03", "ünïcode / person", "with.dot", "x" * 200, "h-looks-hashed", "under_score"])
def test_an_id_is_legal_and_leads_back_to_its_person(patient):
    made = resource_id("CLZ_FBC_OVERDUE", patient)
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", made)
    _, part = split(made)
    assert person_of(part, ["N00", "other", patient]) == patient
    assert len(person_part(patient)) <= 24


def test_percentage_and_proportion_of_a_probability_agree(search):
    for assessment in search("RiskAssessment"):
        for prediction in assessment["prediction"]:
            assert math.isclose(
                prediction["probabilityDecimal"], 100 * prediction["extension"][0]["valueDecimal"], rel_tol=1e-6
            )
