"""A proposal is accepted by a person on a page; then the Task and the test request say so."""

from __future__ import annotations

import re

from serving.security.tokens import issue_token
from tests.serving.conftest import sign_in

PAGE = "/patients/N00/proposals"


def proof_of(page):
    return re.search(r'name="proof" value="([^"]+)"', page)[1]


def statuses(client, as_role):
    found = {}
    for kind in ("Task", "ServiceRequest"):
        answer = client.get(f"/fhir/{kind}?patient=N00", headers=as_role("cmht_system")).json()
        found |= {(kind, entry["resource"]["id"]): entry["resource"]["status"] for entry in answer["entry"]}
    return found


def test_a_person_accepts_a_proposal(home, start):
    system = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', ['north'])}"}
    with start(home) as client:

        def by_id():
            return statuses(client, lambda _: system)

        before = by_id()
        assert set(before.values()) == {"draft"}
        sign_in(client, "pharmacist:north")
        page = client.get(PAGE).text
        assert "Clozapine blood count" in page
        form = {"proof": proof_of(page), "code": "CLZ_FBC_OVERDUE"}
        assert client.post(PAGE, data=form | {"proof": "forged"}).status_code == 403
        assert client.post(PAGE, data=form | {"code": "NO_SUCH_GAP"}).status_code == 404
        assert by_id() == before
        answer = client.post(PAGE, data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?accepted=CLZ_FBC_OVERDUE")
        assert "The proposal is accepted" in client.get(answer.headers["location"]).text
        after = by_id()
        assert after["Task", "CLZ-FBC-OVERDUE.N00"] == "accepted"
        assert after["ServiceRequest", "CLZ-FBC-OVERDUE.N00"] == "active"
        assert after["Task", "CLZ-BREAK.N00"] == "draft"


def test_a_role_that_sees_no_people_and_another_team_accept_nothing(browser):
    signed_in = browser("auditor")
    proof = proof_of(signed_in.get("/").text)
    assert signed_in.post(PAGE, data={"proof": proof, "code": "CLZ_FBC_OVERDUE"}).status_code == 403
    signed_in = browser("pharmacist:south")
    proof = proof_of(signed_in.get("/").text)
    assert signed_in.post(PAGE, data={"proof": proof, "code": "CLZ_FBC_OVERDUE"}).status_code == 404
