"""patient-view: cards from the published list, in the words of the pages, only for the client's own teams."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from sqlalchemy import text

from features.records.reading.nhs_numbers import NhsKey
from serving.auditlog.log import verify_chain
from serving.security.tokens import issue_token
from tests.serving.cds import clients
from tests.serving.cds.conftest import VIEW
from tests.serving.world import TEAM_OF


def _all(database, query):
    with database.read() as connection:
        return connection.execute(text(query)).all()


def test_discovery_names_both_services_with_what_they_ask_for(trusting):
    found = trusting.get("/cds-services", headers=clients.bearer("/cds-services")).json()["services"]
    assert [(one["hook"], one["id"]) for one in found] == [
        ("patient-view", "upstream-patient-view"),
        ("order-select", "upstream-order-select"),
    ]
    assert "prefetch" not in found[0]
    assert set(found[1]["prefetch"]) == {"patient", "medications", "observations", "allergies", "conditions"}
    assert "_count=100" in found[1]["prefetch"]["observations"]


def test_a_gap_and_a_place_on_the_list_are_a_card_each(view):
    [gaps] = view("N00")
    assert gaps["summary"] == "Critical: Clozapine blood count: 186 days overdue, and 1 more"
    assert gaps["indicator"] == "warning"
    assert gaps["source"]["label"] == "Upstream, list of 5 January 2026, synthetic data"
    assert "These follow from a rule and the record, not from the model." in gaps["detail"]
    listed, risk = next((person, cards[1]) for person in TEAM_OF if len(cards := view(person)) == 2)
    assert re.fullmatch(
        r"On this week's review list\. Unplanned admission, 90 days: about \d+ in 100 people like this", risk["summary"]
    )
    assert risk["indicator"] == "info"
    for card, person in ((gaps, "N00"), (risk, listed)):
        link = {"label": "Open this person in Upstream", "url": f"http://127.0.0.1/patients/{person}"}
        assert card["links"] == [{**link, "type": "absolute"}]
        assert [reason["code"] for reason in card["overrideReasons"]][:2] == ["recorded_elsewhere", "not_taking_it"]


def test_no_card_calls_anybody_low_or_names_the_model_s_parts(view):
    for person in (f"N{i:02d}" for i in range(8)):
        for card in view(person):
            words = f"{card['summary']} {card['detail']}".lower()
            for banned in ("low risk", "lower risk", "suicid", "logit", "shap", "because"):
                assert banned not in words


def test_unknown_people_and_people_of_another_team_get_no_card_and_both_are_audited(view, database):
    assert view("S02") == view("NOBODY") == []
    events = _all(database, "SELECT action, patient_ids, role FROM audit_events ORDER BY seq DESC LIMIT 2")
    assert [(row.action, row.role) for row in events] == [("person.not_visible", "cmht_system")] * 2
    assert verify_chain(database) == []


def test_a_card_shown_is_an_exposure(view, database):
    before = _all(database, "SELECT count(*) AS n FROM cards")[0].n
    cards = view("N02")
    assert _all(database, "SELECT count(*) AS n FROM cards")[0].n == before + len(cards)
    shown = _all(database, "SELECT card_id, patient_id, team_id FROM cards WHERE patient_id = 'N02'")
    assert {card["uuid"] for card in cards} <= {row.card_id for row in shown}
    assert {(row.patient_id, row.team_id) for row in shown} == {("N02", "north")}
    exposed = _all(database, "SELECT ranking, horizon_days, rank FROM exposures WHERE patient_id = 'N02'")[-1]
    assert (exposed.ranking, exposed.horizon_days) == ("upstream-patient-view", 90)
    assert exposed.rank >= 1


def test_a_gap_that_somebody_is_on_makes_no_card(trusted_home, trusting):
    """A status that holds takes the gap off the card; where none is left there is no card of gaps."""
    system = {"Authorization": f"Bearer {issue_token(trusted_home, 'cmht_system', ['north'])}"}

    def cards():
        answer = trusting.post(VIEW, json=clients.hook("patient-view", "N05"), headers=clients.bearer(VIEW))
        return [card for card in answer.json()["cards"] if "review list" not in card["summary"]]

    assert len(cards()) == 1
    shown = [gap for gap in trusting.get("/v1/patients/N05", headers=system).json()["gaps"] if gap["shown"]]
    assert shown
    until = (dt.date.today() + dt.timedelta(days=6)).isoformat()
    for gap in shown:
        path = f"/v1/patients/N05/gaps/{gap['code']}/status"
        said = trusting.post(path, json={"status": "acknowledged", "until": until}, headers=system)
        assert said.status_code == 201, said.text
    assert cards() == []


def test_a_client_that_names_people_by_nhs_number(home, start, tmp_path):
    key_file = tmp_path / "nhs.key"
    key_file.touch(mode=0o600)
    key_file.write_text(f"k1:{'ab' * 32}\n")
    pseudonym = NhsKey.read(key_file).pseudonym("9434765919")
    patient = {
        "resourceType": "Patient",
        "id": "77",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "943 476 5919"}],
    }
    trusted = clients.settings(tmp_path, patients="nhs_number")
    with start(home, cds=[trusted], nhs_key_file=key_file) as client:

        def ask(**changes):
            return client.post(VIEW, json=clients.hook("patient-view", "77", **changes), headers=clients.bearer(VIEW))

        answer = ask()
        assert answer.status_code == 412
        assert answer.json()["detail"] == "Send the prefetch data that discovery asks for: patient."
        assert ask(prefetch={"patient": {"resourceType": "OperationOutcome"}}).status_code == 412
        assert ask(prefetch={"patient": None}).status_code == 412
        assert ask(prefetch={"patient": {**patient, "identifier": []}}).status_code == 412
        assert ask(prefetch={"patient": patient}).json() == {"cards": []}
        discovery = client.get("/cds-services", headers=clients.bearer("/cds-services")).json()["services"]
        assert discovery[0]["prefetch"] == {"patient": "Patient/{{context.patientId}}"}
    assert pseudonym.startswith("k1.")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"hook": "order-select"}, "body.hook"),
        ({"hookInstance": "not a uuid"}, "body.hookInstance"),
        ({"context": {"userId": "Practitioner/1"}}, "body.context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": "9434765919"}}, "body.context.patientId"),
    ],
)
def test_an_invalid_request_names_the_place_and_repeats_nothing(call, body, where):
    answer = call(VIEW, {**clients.hook("patient-view"), **body})
    assert answer.status_code == 422
    assert where in [error["where"] for error in answer.json()["errors"]]
    assert "9434765919" not in answer.text
    assert "not a uuid" not in answer.text


def test_a_name_that_is_there_twice_is_refused_with_its_place(trusting):
    """Of two people in one hook the second would be answered."""
    body = json.dumps(clients.hook("patient-view")).replace(
        '"patientId": "N00"', '"patientId": "N00", "patientId": "N01"'
    )
    sent = {**clients.bearer(VIEW), "Content-Type": "application/json"}
    answer = trusting.post(VIEW, content=body, headers=sent)
    assert body.count("patientId") == 2
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "body.patientId")


def test_a_request_of_version_3_is_understood(view):
    """What a later version adds is not read."""
    assert view("N00", extension={"x": 1}, fhirServer="https://epr.example/fhir", hookVersion="1.0")
