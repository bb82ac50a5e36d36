"""The page of the blind rating: own teams only, no risk and no place, each answer in the audit log."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from models.blind_rating import rating_folder
from serving.auditing.case_ratings import ratings_in_audit
from serving.nightly.silent import score_silently
from tests.serving.conftest import sign_in
from tests.serving.states import draw_cases


@pytest.fixture
def rated(home, start):
    """A pharmacist of the north team, signed in, with two cases of their own and one of the south team."""
    draw_cases(home)
    with start(home) as client:
        sign_in(client, "pharmacist:north")
        yield client


def answer(client, **form):
    proof = re.search(r'name="proof" value="([^"]+)"', client.get("/rating").text)[1]
    return client.post("/rating", data={"proof": proof, "case": "1", "worth": "7", "known": "no"} | form)


def events(home, action):
    with sqlite3.connect(home / "service.db") as connection:
        rows = connection.execute(
            "SELECT patient_ids, detail FROM audit_events WHERE action = ? ORDER BY seq", (action,)
        ).fetchall()
    return [(json.loads(people), json.loads(detail)) for people, detail in rows]


def test_a_pharmacist_rates_the_cases_of_their_team_in_turn_and_the_log_keeps_each(home, rated):
    first = rated.get("/rating").text
    assert "Case 1" in first and "N03" in first and "N05" not in re.sub(r"<ul>.*", "", first)
    assert "S01" not in first and events(home, "cases.seen")[-1][0] == ["N03", "N05"]
    assert answer(rated).status_code == 303
    second = rated.get("/rating").text
    assert "N05" in second and "1 of 2 rated" in second
    answer(rated, case="3", worth="0", known="yes")
    assert "Every case has your rating" in rated.get("/rating").text
    people, detail = events(home, "case.rated")[0]
    assert people == ["N03"] and (detail["case"], detail["worth"], detail["known"]) == (1, 7, False)
    assert [one["worth"] for one in ratings_in_audit(home)] == [7, 0] and "N03" not in str(ratings_in_audit(home))


def test_the_first_page_leads_to_it_while_there_are_cases_of_the_teams(home, rated):
    assert 'href="/rating"' in rated.get("/").text
    cases = rating_folder(home) / "rating.csv"
    cases.write_text(cases.read_text().replace("north", "south"))
    assert 'href="/rating"' not in rated.get("/").text
    cases.unlink()
    assert 'href="/rating"' not in rated.get("/").text


def test_a_rating_can_be_corrected_and_another_rater_does_not_see_it(home, start, rated):
    answer(rated)
    answer(rated, worth="2")
    assert "Case 1</a>: 2" in rated.get("/rating").text
    assert len({one["rater"] for one in ratings_in_audit(home)}) == 1
    sign_in(rated, "pharmacist:south")
    theirs = rated.get("/rating").text
    assert "S01" in theirs and "N03" not in theirs and "0 of 1 rated" in theirs


def test_the_page_holds_no_risk_no_place_and_no_way_to_them(home, world, rated):
    score_silently(home / "store", home / "bundles", home, world.AS_OF)
    (home / "silent" / "rating" / "rating-key.json").write_text('{"listed": [true, false, true], "lock": "the-lock"}')
    main = re.search(r"<main.*</main>", rated.get("/rating").text, re.DOTALL)[0]
    for hidden in ("the-lock", "/patients/", "/teams/", "in 100", "admission"):
        assert hidden not in main.lower()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"worth": "11"}, "Choose a whole number from 0 to 10"),
        ({"worth": "-1"}, "Choose a whole number from 0 to 10"),
        ({"worth": "\u00b2"}, "Choose a whole number from 0 to 10"),
        ({"worth": ""}, "Choose a whole number from 0 to 10"),
        ({"known": "it"}, "Choose yes or no"),
        ({"case": "2"}, "not one of yours"),  # of the south team
        ({"case": "9"}, "not one of yours"),
        ({"case": "x"}, "not one of yours"),
    ],
)
def test_an_invalid_rating_is_shown_on_the_form_and_not_recorded(home, rated, form, said):
    refused = answer(rated, **form)
    assert refused.status_code == 422 and said in refused.text
    assert events(home, "case.rated") == []


def test_without_cases_the_page_says_so(home, start):
    with start(home) as client:
        sign_in(client, "pharmacist:north")
        assert "There is nothing to rate" in client.get("/rating").text


def test_a_file_of_an_earlier_release_names_no_team_so_nobody_sees_its_cases(home, rated):
    (home / "silent" / "rating" / "rating.csv").write_text("case,patient_id\n1,N03\n")
    assert "There is nothing to rate" in rated.get("/rating").text


def test_a_form_of_another_site_records_nothing(home, rated):
    assert rated.post("/rating", data={"proof": "forged", "case": "1", "worth": "7", "known": "no"}).status_code == 403
    assert events(home, "case.rated") == []
