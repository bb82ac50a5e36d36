"""Emergency access opens a few existing people of other teams, to read only; each attempt is in the log."""

from __future__ import annotations

import sqlite3

import pytest

from serving.security.tokens import issue_token
from tests.serving.conftest import bearer

SOUTH = [f"S0{n}" for n in range(5)]


@pytest.fixture
def pharmacist(home):
    return bearer(issue_token(home, "pharmacist", ["north"], "Sam"))


def ask(client, headers, person):
    return client.post(f"/v1/patients/{person}/emergency-access", json={"reason": "crisis_call"}, headers=headers)


def actions(home):
    with sqlite3.connect(home / "service.db") as connection:
        return [row[0] for row in connection.execute("SELECT action FROM audit_events ORDER BY seq")]


def test_a_few_people_an_hour_and_then_nobody(home, start, pharmacist):
    """328 people of other teams were opened in 55 seconds."""
    with start(home, emergencies_per_hour=2) as client:
        statuses = [ask(client, pharmacist, person).status_code for person in ("S00", "S01", "S02", "S02")]
        assert statuses == [201, 201, 429, 429]
        assert client.get("/v1/patients/S01", headers=pharmacist).status_code == 200
        assert client.get("/v1/patients/S02", headers=pharmacist).status_code == 404
        metrics = client.get("/metrics", headers=bearer(issue_token(home, "operator"))).text
        assert "upstream_emergency_access_total 2.0" in metrics
        listed = client.get("/v1/audit/emergency-access?limit=500", headers=bearer(issue_token(home, "auditor"))).json()
        assert listed["total"] == 2
    assert (actions(home).count("emergency.opened"), actions(home).count("emergency.refused")) == (2, 2)


@pytest.mark.parametrize(("person", "status"), [("nobody", 404), ("N00", 409), ("S00", 201)])
def test_only_people_who_exist_and_are_not_ones_own(home, start, pharmacist, person, status):
    with start(home) as client:
        assert ask(client, pharmacist, person).status_code == status
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        proof = client.get("/emergency-access").text.split('name="proof" value="')[1].split('"')[0]
        form = {"proof": proof, "patient_id": person, "reason": "crisis_call"}
        assert client.post("/emergency-access", data=form).status_code == (303 if status == 201 else 422)


def test_what_was_opened_is_read_and_not_written(home, start, pharmacist):
    review = {
        "actions": ["no_change_needed"],
        "medicines_reconciled": True,
        "allergies_up_to_date": True,
        "side_effects_assessed": True,
    }
    with start(home) as client:
        assert ask(client, pharmacist, "S00").status_code == 201
        assert client.get("/v1/patients/S00", headers=pharmacist).status_code == 200
        headers = pharmacist | {"Idempotency-Key": "review-of-today-1"}
        refused = client.post("/v1/patients/S00/reviews", json=review, headers=headers)
        assert refused.status_code == 403 and refused.json()["type"].endswith("emergency-reads-only")
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        proof = client.get("/emergency-access").text.split('name="proof" value="')[1].split('"')[0]
        client.post("/emergency-access", data={"proof": proof, "patient_id": "S00", "reason": "crisis_call"})
        page = client.get("/patients/S00").text
        assert "Record the review" not in page and "to read" in page
    assert "review.recorded" not in actions(home) and "emergency.refused" in actions(home)
