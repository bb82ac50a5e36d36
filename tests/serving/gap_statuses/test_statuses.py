"""A status from the form and the API to the list, the page, the history and the audit log."""

from __future__ import annotations

import datetime as dt

import pytest

from serving.storage.tables import audit_events

SOON = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=5)).isoformat()
CODE = "CLZ_FBC_OVERDUE"
PERSON = "N00"


@pytest.fixture
def pharmacist(home, start):
    from serving.security.tokens import issue_token

    token = issue_token(home, "pharmacist", ["north"], "Noor")
    with start(home) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def gap_of(answer, code=CODE):
    return next(gap for gap in answer.json()["gaps"] if gap["code"] == code)


def test_a_status_is_seen_on_the_person_the_list_the_history_and_in_the_audit_log(pharmacist, database):
    path = f"/v1/patients/{PERSON}/gaps/{CODE}/status"
    answer = pharmacist.post(path, json={"status": "booked", "until": SOON})
    assert answer.status_code == 201, answer.text

    status = gap_of(pharmacist.get(f"/v1/patients/{PERSON}"))["status"]
    assert status["status"] == "booked" and status["holds"] and status["set_by"] == "Noor"
    items = pharmacist.get("/v1/teams/north/worklist?limit=500").json()["items"]
    (said,) = pharmacist.get(f"/v1/patients/{PERSON}/gap-statuses").json()["items"]
    assert (said["holds"], said["ended"]) == (status["holds"], status["ended"]), "history and page agree"
    line = next(gap for e in items if e["patient_id"] == PERSON for gap in e["gaps"] if gap["code"] == CODE)
    assert line["status"].startswith("Booked, until ")

    assert pharmacist.post(path, json={"status": "open"}).status_code == 201
    assert gap_of(pharmacist.get(f"/v1/patients/{PERSON}"))["status"] is None
    history = pharmacist.get(f"/v1/patients/{PERSON}/gap-statuses").json()["items"]
    assert [item["status"] for item in history] == ["open", "booked"]

    with database.read() as connection:
        actions = [row.action for row in connection.execute(audit_events.select())]
    assert {"gap_status.set", "gap_status.taken_back", "gap_statuses.seen"} <= set(actions)


@pytest.mark.parametrize(
    ("patient", "code", "body", "expected"),
    [
        (PERSON, CODE, {"status": "booked"}, 422),
        (PERSON, CODE, {"status": "booked", "until": "2019-01-01"}, 422),
        (PERSON, CODE, {"status": "vanished", "until": SOON}, 422),
        (PERSON, "NO_SUCH_GAP", {"status": "booked", "until": SOON}, 404),
        ("S00", CODE, {"status": "booked", "until": SOON}, 404),
        ("nobody", CODE, {"status": "booked", "until": SOON}, 404),
    ],
)
def test_an_invalid_status_is_refused_and_not_repeated(pharmacist, patient, code, body, expected):
    answer = pharmacist.post(f"/v1/patients/{patient}/gaps/{code}/status", json=body)
    assert answer.status_code == expected, answer.text
    assert "vanished" not in answer.text and "2019" not in answer.text


def test_a_review_recorded_here_clears_the_review_gap_on_list_and_page(pharmacist):
    people = pharmacist.get("/v1/teams/north/worklist?limit=500").json()["items"]
    code = "MEDICINES_REVIEW_OVERDUE"
    overdue = [e["patient_id"] for e in people if any(gap["code"] == code for gap in e["gaps"])]
    assert overdue, "the made-up trust has somebody whose review is overdue"
    review = {
        "actions": ["indication_reviewed"],
        "medicines_reconciled": True,
        "allergies_up_to_date": True,
        "side_effects_assessed": True,
    }
    path = f"/v1/patients/{overdue[0]}/reviews"
    assert pharmacist.post(path, json=review, headers={"Idempotency-Key": "review-0001"}).status_code == 201
    status = gap_of(pharmacist.get(f"/v1/patients/{overdue[0]}"), code)["status"]
    assert status["holds"] and status["in_words"].startswith("Reviewed in Upstream on ")


def parts(day):
    """A day as the three fields of the form."""
    year, month, number = str(day).split("-")
    return {"until_day": number, "until_month": month, "until_year": year}


def test_a_status_is_set_by_the_form_without_a_script(home, start):
    import re

    with start(home) as client:
        choices = re.findall(r'<option value="([^"]+)"', client.get("/sign-in").text)
        for choice in [value for value in choices if "pharmacist" in value.lower()]:
            assert client.post("/sign-in", data={"choice": choice}).status_code == 303
            page = client.get(f"/patients/{PERSON}")
            if page.status_code == 200:
                break
        assert page.status_code == 200, "one of the demo's pharmacists is of the person's team"
        proof = re.search(r'name="proof" value="([^"]+)"', page.text)[1]
        view = re.search(r'name="view" value="([^"]+)"', page.text)[1]
        path = f"/patients/{PERSON}/gaps/{CODE}/status"
        wrong = client.post(path, data={"proof": proof, "view": view, "status": "booked"})
        assert wrong.status_code == 303 and "status_wrong=until" in wrong.headers["location"]
        refused = client.get(wrong.headers["location"].partition("#")[0]).text
        assert "The status was not set" in refused and 'value="booked" checked' in refused, "the choice is kept"
        for typed in ({"until_day": "31", "until_month": "2", "until_year": "2027"}, {"until_day": "soon"}):
            wrong = client.post(path, data={"proof": proof, "view": view, "status": "booked", **typed})
            refused = client.get(wrong.headers["location"].partition("#")[0]).text
            assert "Enter the day as a day, a month and a year" in refused
            assert f'value="{typed["until_day"]}"' in refused, "what was typed stands in the fields"
        done = client.post(path, data={"proof": proof, "view": view, "status": "booked", **parts(SOON)})
        assert done.status_code == 303 and "status_set" in done.headers["location"]
        shown = client.get(done.headers["location"].partition("#")[0]).text
        assert "Booked, until" in shown and "Saved." in shown
        assert client.post(path, data={"proof": "x", "status": "open"}).status_code == 403
