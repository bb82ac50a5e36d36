"""The weekly digest: a page and a file with counts of the caller's own teams and without names."""

from __future__ import annotations

import json

import pytest

from serving.security.tokens import issue_token

REVIEW = {
    "actions": ["gp_informed"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": True,
}


@pytest.fixture
def worked(home, start):
    """Two people were given, one is for this week, one was reviewed; the page as a pharmacist of the north sees it."""
    head = {"Authorization": f"Bearer {issue_token(home, 'pharmacist', ['north'], 'Sam')}"}
    with start(home) as client:
        me = client.get("/v1/patients/N01/work", headers=head).json()["colleagues"][0]["person"]
        client.post("/v1/patients/N01/work", headers=head, json={"given_to": me, "this_week": True})
        client.post("/v1/patients/N02/work", headers=head, json={"given_to": me})
        client.post("/v1/patients/N03/reviews", headers=head | {"Idempotency-Key": "digest-1"}, json=REVIEW)
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        yield client.get("/digest").text


def test_the_page_counts_the_callers_teams_and_names_nobody(worked):
    main = worked.split("<main")[1].split("</main>")[0]
    assert "North team" in main and "South team" not in main
    assert "8 people" in main and "2 people given to a colleague; 1 still to do this week" in main
    assert "1 of 3" in main, "reviewed, of the team's capacity"
    assert not [person for person in (f"N0{n}" for n in range(8)) if person in main]


def test_the_verb_writes_a_text_of_every_team_without_a_person(worked, home, run, tmp_path):
    run("digest", "--home", str(home), "--out", str(tmp_path / "digest.txt"))
    text = (tmp_path / "digest.txt").read_text()
    assert "North team" in text and "South team" in text and "SYNTHETIC" in text
    assert "Reviewed in the last seven days: 1 of 3" in text and "Counts only" in text
    assert not [person for person in ("N0", "S0") if person in text]
    counts = json.loads(run("digest", "--home", str(home), "--json").stdout)
    assert [team["people"] for team in counts["teams"]] == [8, 5]


def test_the_page_has_a_twin_as_json_with_the_same_counts(worked, home, start):
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        found = client.get("/digest.json").json()
    (team,) = found["teams"]
    assert (team["name"], team["people"], team["reviewed"], team["capacity"]) == ("North team", 8, 1, 3)
    assert not [person for person in (f"N0{n}" for n in range(8)) if person in str(found)]


def test_a_home_without_a_list_says_so(run, tmp_path):
    assert "no list has been published yet" in run("digest", "--home", str(tmp_path)).stdout
