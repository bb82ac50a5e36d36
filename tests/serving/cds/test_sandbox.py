"""The sandbox of the demo shows what the hook gives, under the rights of the person signed in."""

from __future__ import annotations

import re

from serving.security.tokens import issue_token


def sent(browser, patient):
    proof = re.search(r'name="proof" value="([^"]+)"', browser.get("/sandbox").text)[1]
    return browser.post("/sandbox", data={"proof": proof, "patient_id": patient})


def test_a_hook_and_its_card_are_shown(browser):
    page = sent(browser("pharmacist:north"), "N00").text
    assert "Critical: Clozapine blood count: 186 days overdue, and 1 more" in page
    assert "/cds-services/upstream-patient-view" in page
    assert "&#34;hook&#34;: &#34;patient-view&#34;" in page


def test_nobody_of_another_team_is_shown(browser):
    page = sent(browser("pharmacist:north"), "S02").text
    assert "No card." in page
    assert "overdue" not in page.lower()


def test_it_is_not_there_outside_the_demo(home, start):
    cookie = issue_token(home, "pharmacist", ["north"], "Priya", kind="session")
    with start(home, environment="production") as client:
        client.cookies.set("upstream_session", cookie)
        assert client.get("/sandbox").status_code == 404
