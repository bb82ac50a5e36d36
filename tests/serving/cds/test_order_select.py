"""order-select: the selected medicine against the rules, using only what was sent. A row is what is ordered, what is
recorded, and the cards."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import text

from tests.serving.cds import clients
from tests.serving.cds.conftest import SELECT

OWN = "urn:upstream:code"
TODAY = dt.date.today()


def days_ago(days):
    return (TODAY - dt.timedelta(days=days)).isoformat()


def concept(code, system=OWN):
    return {"coding": [{"system": system, "code": code}]}


def request(name, medicine, on=None, mg=None, status="draft"):
    """A MedicationRequest; one with ``mg`` is taken once a day."""
    found = {
        "resourceType": "MedicationRequest",
        "id": name,
        "status": status,
        "intent": "order" if status == "active" else "proposal",
        "subject": {"reference": "Patient/N00"},
        "medicationCodeableConcept": concept(f"medicine/{medicine}"),
    }
    if on:
        found["authoredOn"] = on
    if mg:
        rate = [{"doseQuantity": {"value": mg, "code": "mg"}}]
        found["dosageInstruction"] = [
            {"doseAndRate": rate, "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}
        ]
    return found


def result(test, days, value=None, unit=None):
    found = {
        "resourceType": "Observation",
        "id": f"{test}-{days}",
        "status": "final",
        "subject": {"reference": "Patient/N00"},
        "code": concept(f"test/{test}"),
        "effectiveDateTime": days_ago(days),
        "issued": f"{days_ago(days)}T12:00:00Z",
    }
    return found | ({"valueQuantity": {"value": value, "unit": unit}} if value is not None else {})


def allergy(label):
    return {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "patient": {"reference": "Patient/N00"},
        "code": {"text": label, "coding": [{"system": "http://snomed.info/sct", "code": "1", "display": label}]},
        "recordedDate": days_ago(400),
    }


def bundle(resources):
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


WOMAN = {"resourceType": "Patient", "id": "N00", "gender": "female", "birthDate": "1990-05-01"}


def body(orders, medications=(), observations=(), allergies=(), patient=WOMAN, **changes):
    prefetch = {
        "patient": patient,
        "medications": bundle(medications),
        "observations": bundle(observations),
        "allergies": bundle(allergies),
        "conditions": bundle([]),
    }
    context = {"selections": [f"MedicationRequest/{one['id']}" for one in orders], "draftOrders": bundle(orders)}
    return clients.hook("order-select", "N00", **{"prefetch": prefetch, "context": context, **changes})


@pytest.fixture
def cards(call):
    def asked(*orders, **sent):
        answer = call(SELECT, body(list(orders), **sent))
        assert answer.status_code == 200, answer.text
        return [(card["indicator"], card["summary"]) for card in answer.json()["cards"]]

    return asked


def test_clozapine_without_a_valid_blood_count(cards):
    assert cards(request("r", "clozapine", mg=25)) == [
        ("warning", "Clozapine blood count: 1 day overdue. Full blood count: not recorded")
    ]
    assert cards(request("r", "clozapine", mg=25), observations=[result("fbc", 3)]) == []


def test_lithium_without_kidney_tests_and_lithium_without_a_level(cards):
    [(indicator, summary)] = cards(request("r", "lithium", mg=800))
    assert (indicator, summary[:41]) == ("info", "Lithium kidney, thyroid or calcium test: ")
    held = [request(f"h{days}", "lithium", days_ago(days), 800, "active") for days in range(28, 500, 28)]
    kidneys = [result(test, 30, 70, unit) for test, unit in (("egfr", "mL/min/1.73m2"),)]
    kidneys += [result("u_and_e", 30), result("tft", 30), result("calcium", 30, 2.4, "mmol/L")]
    found = cards(request("r", "lithium", mg=800), medications=held, observations=kidneys)
    assert [summary.split(":")[0] for _, summary in found] == ["Lithium level"]
    level = result("lithium_level", 30, 0.7, "mmol/L")
    assert cards(request("r", "lithium", mg=800), medications=held, observations=[*kidneys, level]) == []


def test_valproate_and_topiramate_in_somebody_who_could_become_pregnant(cards):
    [(indicator, summary)] = cards(request("r", "valproate", mg=500))
    assert (indicator, summary[:30]) == ("warning", "Valproate safety documentation")
    [(indicator, summary)] = cards(request("r", "topiramate", mg=50))
    assert "pregnancy prevention programme" in summary


def test_an_interaction_names_the_ordered_medicine_and_no_other_pair(cards):
    held = [request(name, name, days_ago(10), 400, "active") for name in ("clozapine", "carbamazepine")]
    [(indicator, summary)] = [
        card for card in cards(request("r", "fluvoxamine", mg=50), medications=held) if "fluvoxamine" in card[1]
    ]
    assert indicator == "warning"
    assert "Clozapine with fluvoxamine since" in summary
    assert not any("carbamazepine with clozapine" in said for _, said in cards(request("r", "haloperidol", mg=5)))


def test_a_recorded_allergy(cards):
    found = cards(request("r", "clozapine", mg=25), allergies=[allergy("Allergy to clozapine")])
    assert found[0][0] == "warning"
    assert "Recorded allergy to a medicine that is supplied" in found[0][1]


def test_a_dose_above_the_maximum(cards):
    assert cards(request("r", "citalopram", mg=80)) == [
        ("warning", "Dose above the maximum. Citalopram 80 mg a day; maximum 40 mg a day")
    ]
    assert cards(request("r", "citalopram", mg=20)) == []


def test_unselected_drafts_are_not_examined(call):
    orders = [request("r", "citalopram", mg=20), request("other", "citalopram", mg=200)]
    context = {"selections": ["MedicationRequest/r"], "draftOrders": bundle(orders)}
    answer = call(SELECT, body(orders, context=context))
    assert answer.json() == {"cards": []}


def test_an_unknown_medicine_gets_a_card(cards):
    assert cards(request("r", "a-medicine-of-tomorrow")) == [
        (
            "info",
            "A selected medicine was not checked. Not in Upstream's tables: no interaction or burden is known.",
        )
    ]


def test_an_order_of_something_else_has_no_card(call):
    order = {"resourceType": "ServiceRequest", "id": "s"}
    context = {"selections": ["ServiceRequest/s"], "draftOrders": bundle([order])}
    assert call(SELECT, body([], context=context)).json() == {"cards": []}


@pytest.mark.parametrize("name", ["patient", "medications", "observations", "allergies", "conditions"])
def test_data_that_was_not_sent_is_412_and_named(call, name):
    sent = body([request("r", "clozapine")])
    del sent["prefetch"][name]
    answer = call(SELECT, sent)
    assert answer.status_code == 412
    assert answer.json()["detail"] == f"Send the prefetch data that discovery asks for: {name}."
    sent["prefetch"][name] = {"resourceType": "OperationOutcome", "issue": []}
    assert call(SELECT, sent).status_code == 412
    sent["prefetch"][name] = None
    assert call(SELECT, sent).status_code == 200


def test_the_patient_of_somebody_else_is_412(call):
    assert call(SELECT, body([request("r", "clozapine")], patient={**WOMAN, "id": "X"})).status_code == 412


@pytest.mark.parametrize(
    "wrong",
    [
        {"selections": ["MedicationRequest/none"], "draftOrders": bundle([])},
        {"selections": [], "draftOrders": bundle([])},
        {"selections": ["MedicationRequest/r"], "draftOrders": bundle([{**request("r", "x"), "dosageInstruction": 7}])},
        {"selections": ["MedicationRequest/r"], "draftOrders": {"entry": 7}},
    ],
)
def test_drafts_that_cannot_be_read_are_422(call, wrong):
    assert call(SELECT, body([], context=wrong)).status_code == 422


def test_nothing_is_kept_of_what_was_sent_and_somebody_on_a_list_is_an_exposure(call, database):
    answer = call(SELECT, body([request("r", "citalopram", mg=80)]))
    [card] = answer.json()["cards"]
    with database.read() as connection:
        [row] = connection.execute(
            text("SELECT patient_id, about FROM cards WHERE card_id = :card"), {"card": card["uuid"]}
        ).all()
        exposed = connection.execute(text("SELECT ranking FROM exposures WHERE patient_id = 'N00'")).all()
        words = connection.execute(text("SELECT detail FROM audit_events")).all()
    assert (row.patient_id, row.about) == ("N00", '["DOSE_ABOVE_MAXIMUM"]')
    assert ("upstream-order-select",) in [tuple(one) for one in exposed]
    assert "citalopram" not in str(words)


def test_somebody_on_no_list_of_the_client_gets_rules_without_a_link(call, database):
    """The rules read only what the client sent. Nothing about the person is kept."""
    woman = {**WOMAN, "id": "S02"}
    sent = body([request("r", "citalopram", mg=80)], patient=woman)
    sent["context"]["patientId"] = "S02"
    [card] = call(SELECT, sent).json()["cards"]
    assert "links" not in card
    with database.read() as connection:
        row = connection.execute(
            text("SELECT patient_id, team_id FROM cards WHERE card_id = :card"), {"card": card["uuid"]}
        ).one()
    assert tuple(row) == (None, None)
