"""The twelve invariants and the four logical models of HL7/cds-hooks (input/fsh), one test each, by their names."""

from __future__ import annotations

import uuid

import pytest

from tests.serving.cds import clients
from tests.serving.cds.conftest import SELECT, VIEW
from tests.serving.cds.test_order_select import body, request

FEEDBACK = f"{VIEW}/feedback"
AT = "2026-11-28T10:20:30Z"


@pytest.fixture
def every_card(call, view):
    """Cards of both services, of every kind."""
    orders = [request("a", "clozapine", mg=2_000), request("b", "nothing-we-know")]
    found = [card for person in ("N00", "N01", "N03") for card in view(person)]
    found += call(SELECT, body(orders)).json()["cards"]
    assert {card["indicator"] for card in found} == {"info", "warning"}
    return found


def entry(**changes):
    return {"card": str(uuid.uuid4()), "outcome": "overridden", "outcomeTimestamp": AT, **changes}


def status(call, **changes):
    said = {name: value for name, value in entry(**changes).items() if value is not None}
    return call(FEEDBACK, {"feedback": [said]}).status_code


def test_cds_fb_1_outcome_is_accepted_or_overridden(call):
    suggested = [{"id": str(uuid.uuid4())}]
    assert status(call, outcome="accepted", acceptedSuggestions=suggested) == 200
    assert status(call) == 200
    assert status(call, outcome="ignored") == 422


def test_cds_fb_2_accepted_names_the_suggestions(call):
    assert status(call, outcome="accepted") == 422
    assert status(call, outcome="accepted", acceptedSuggestions=[]) == 422


def test_cds_fb_3_an_override_reason_holds_a_reason_or_a_comment(call):
    assert status(call, overrideReason={}) == 422
    assert status(call, overrideReason={"userComment": "no"}) == 200
    assert status(call, overrideReason={"reason": {"code": "x", "system": "urn:x"}}) == 200


AUTHORIZATION = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": "us"}


def test_cds_r_1_a_fhir_authorization_comes_with_a_fhir_server(call):
    def ask(**sent):
        return call(VIEW, clients.hook("patient-view", **sent)).status_code

    assert ask(fhirAuthorization=AUTHORIZATION) == 422
    assert ask(fhirAuthorization=AUTHORIZATION, fhirServer="https://epr.example/fhir") == 200


def test_cds_r_2_patient_scopes_should_name_the_patient(call):
    """A warning of the specification: such a request is answered, with the patient or without."""
    scoped = {**AUTHORIZATION, "scope": "patient/Patient.r"}
    for authorization in (scoped, {**scoped, "patient": "N00"}):
        sent = clients.hook("patient-view", fhirAuthorization=authorization, fhirServer="https://epr.example/fhir")
        assert call(VIEW, sent).status_code == 200


def test_cds_resp_1_at_most_one_suggestion_is_recommended(every_card):
    assert not any("suggestions" in card for card in every_card)


def test_cds_resp_2_a_deletion_names_a_resource_id(every_card):
    assert not any(action for card in every_card for action in card.get("suggestions", ()))


def test_cds_resp_3_an_app_context_stands_in_smart_links_only(every_card):
    links = [link for card in every_card for link in card.get("links", ())]
    assert links
    assert all("appContext" not in link or link["type"] == "smart" for link in links)


def test_cds_resp_4_every_override_reason_has_a_display(every_card):
    reasons = [reason for card in every_card for reason in card["overrideReasons"]]
    assert reasons
    assert all(reason["display"] and reason["code"] and reason["system"] for reason in reasons)


def test_cds_resp_5_every_action_has_a_description(every_card):
    assert not any(suggestion.get("actions") for card in every_card for suggestion in card.get("suggestions", ()))


def test_cds_resp_6_suggestions_come_with_a_selection_behaviour(every_card):
    assert all("selectionBehavior" in card for card in every_card if card.get("suggestions"))


def test_cds_resp_7_an_action_selection_behaviour_is_one_of_three(every_card):
    assert not any("actionSelectionBehavior" in one for card in every_card for one in card.get("suggestions", ()))


def empty(value):
    """Places of a JSON value that are null or empty."""
    if isinstance(value, dict):
        return [name for name, inner in value.items() if inner in (None, "", [], {}) or empty(inner)]
    return [place for place, inner in enumerate(value) if empty(inner)] if isinstance(value, list) else []


def test_model_cdshooksservices(trusting):
    answer = trusting.get("/cds-services", headers=clients.bearer("/cds-services"))
    assert set(answer.json()) == {"services"}
    for service in answer.json()["services"]:
        assert {"hook", "description", "id"} <= set(service)
        assert all(isinstance(template, str) for template in service.get("prefetch", {}).values())
        assert set(service) <= {"hook", "title", "description", "id", "prefetch", "usageRequirements"}
    assert empty(answer.json()) == []


def test_model_cdshooksrequest(call):
    good = clients.hook("patient-view")
    assert call(VIEW, good).status_code == 200
    for name in ("hook", "hookInstance", "context"):
        assert call(VIEW, {key: value for key, value in good.items() if key != name}).status_code == 422


def test_model_cdshooksresponse(every_card):
    for card in every_card:
        assert {"uuid", "summary", "indicator", "source"} <= set(card)
        assert 0 < len(card["summary"]) < 140
        assert card["indicator"] in ("info", "warning", "critical")
        assert card["source"]["label"]
        assert empty(card) == []
        uuid.UUID(card["uuid"])
        for link in card.get("links", ()):
            assert link["label"] and link["url"].startswith("http") and link["type"] in ("absolute", "smart")
    assert len({card["uuid"] for card in every_card}) == len(every_card)


def test_model_cdshooksfeedback(call):
    assert call(FEEDBACK, {"feedback": [entry()]}).status_code == 200
    assert call(FEEDBACK, {"feedback": []}).status_code == 422
    for name in ("card", "outcome", "outcomeTimestamp"):
        assert status(call, **{name: None}) == 422
    assert status(call, card="not a uuid") == 422
    for moment in ("2026-11-28T10:20:30", "28 November", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z"):
        assert status(call, outcomeTimestamp=moment) == 422
