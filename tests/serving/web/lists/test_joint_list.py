"""One list over all teams of a caller: everybody once, ranked once, and each team's line as on its own list."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from serving.security.tokens import issue_token
from serving.storage.tables import audit_events, exposures


@pytest.fixture
def both(home, start):
    """A pharmacist of both teams."""
    with start(home) as client:
        client.cookies.set(
            "upstream_session", issue_token(home, "pharmacist", ["north", "south"], "both", kind="session")
        )
        yield client


@pytest.fixture
def api(home, both):
    token = issue_token(home, "pharmacist", ["north", "south"], "both")
    return lambda team: both.get(f"/v1/teams/{team}/worklist", headers={"Authorization": f"Bearer {token}"}).json()


def rows(page):
    """Person, rank and the teams whose line they are above, in the order of the page."""
    found = []
    for row in re.findall(r'<tr class="up-row">.*?</tr>', page, re.DOTALL):
        person = re.search(r"/patients/([^?]+)\?", row)[1]
        rank = int(re.search(r'class="up-rank">(\d+)', row)[1])
        above = re.findall(r'up-mark-word">([^<]+)<span class="up-fold">: this week', row)
        found.append((person, rank, above))
    return found


def test_everybody_of_both_teams_is_on_it_once_and_ranked_once_by_risk(both, api):
    risks = {e["patient_id"]: e["probability"] for team in ("north", "south") for e in api(team)["items"]}
    shown = rows(both.get("/teams").text)
    assert sorted(person for person, *_ in shown) == sorted(risks)
    for person, rank, _ in shown:
        assert rank == 1 + sum(risk > risks[person] for risk in risks.values())


def test_people_above_the_line_are_also_above_it_on_their_own_teams_list(both, api):
    own = {e["patient_id"] for e in api("north")["items"] if e["within_capacity"]}
    shown = rows(both.get("/teams").text)
    assert {person for person, _, above in shown if above} == own and len(own) == 3
    assert [bool(above) for *_, above in shown] == [True] * 3 + [False] * 10, "those above a line come first"
    text = both.get("/teams").text
    assert "North team 3, South team has stated no capacity." in text


def test_a_critical_gap_stands_above_the_line(both):
    people = [person for person, *_ in rows(both.get("/teams").text)]
    page = both.get("/teams").text
    assert people.index("N00") == 3
    assert page.index("/patients/N00?") < page.index("reviews of this week end here")


def test_it_is_one_look_that_names_both_teams_and_each_person_with_a_team_of_theirs(both, database):
    both.get("/teams?limit=500")
    with database.write() as connection:
        events = list(connection.execute(select(audit_events).where(audit_events.c.action == "worklist.seen")))
        seen = {
            row.patient_id: row.team_id
            for row in connection.execute(
                select(exposures.c.patient_id, exposures.c.team_id).where(exposures.c.audit_seq == events[-1].seq)
            )
        }
    assert len(events) == 1
    assert events[0].detail["teams"] == ["north", "south"] and len(events[0].patient_ids) == 13
    assert all(team == ("north" if person.startswith("N") else "south") for person, team in seen.items())


def test_it_holds_nobody_of_another_team_also_not_one_opened_in_an_emergency(home, start):
    with start(home) as client:
        client.cookies.set("upstream_session", issue_token(home, "pharmacist", ["south"], "one", kind="session"))
        proof = re.search(r'name="proof" value="([^"]+)"', client.get("/emergency-access").text)[1]
        sent = {"proof": proof, "patient_id": "N00", "reason": "crisis"}
        assert client.post("/emergency-access", data=sent).status_code in (303, 422)
        assert {person[0] for person, *_ in rows(client.get("/teams").text)} == {"S"}


def test_a_role_without_people_and_a_stranger_get_no_list(home, start):
    with start(home) as client:
        assert client.get("/teams").headers["location"] == "/sign-in"
        client.cookies.set("upstream_session", issue_token(home, "auditor", None, "who", kind="session"))
        assert client.get("/teams").status_code == 403


@pytest.mark.parametrize("query", ["", "?sort=next", "?gap=MONITORING_NEVER_DONE&sort=name", "?ranking=gaps"])
def test_the_next_person_is_the_next_on_it(both, query):
    page = both.get(f"/teams{query}").text
    people = [person for person, *_ in rows(page)]
    opened = re.search(rf'href="(/patients/{people[0]}\?[^"#]+)"', page)[1].replace("&amp;", "&")
    person = both.get(opened).text
    assert f"1 of {len(people)} on the list" in person and "All my teams" in person
    following = re.search(r'rel="next" href="([^"]+)"', person)
    assert (following[1].split("?")[0] if following else "") == (f"/patients/{people[1]}" if len(people) > 1 else "")
    assert re.search(r'<nav aria-label="Back"><a class="nhsuk-back-link" href="/teams\?', person)
