"""The page of a team's list, row by row beside its JSON: nothing that a pharmacist needs is missing, and the address
keeps what was chosen."""

from __future__ import annotations

import datetime as dt
import gc
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

import serving.web.endpoints
from serving.gap_wording import gap_parts
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.storage.tables import people, timelines
from serving.wording import near_day, short_in_100
from serving.worklists.schemas import WorklistEntry

NEEDS = [["interpreter", "required"], ["language", "Somali"], ["accessible_format", "easy read"]]
REVIEW = {
    "actions": ["monitoring_arranged"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": False,
}


STAR = '<abbr title="not yet verified by a pharmacist">*</abbr>'


def words(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture
def team(home, start, world):
    """Two weekly lists, a review of N03, and needs and a booking on its record: the page, and its JSON."""
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    bearer = {"Authorization": f"Bearer {issue_token(home, 'pharmacist', ['north'], 'Ann', lead=True)}"}
    cookie = issue_token(home, "pharmacist", ["north"], "Ann", kind="session")
    with start(home) as client:
        with client.app.state.service.database.write() as connection:
            connection.execute(update(timelines).where(timelines.c.patient_id == "N03").values(adjustments=NEEDS))
            booked = {"next_booked_on": dt.date(2026, 2, 3)}
            connection.execute(update(people).where(people.c.patient_id == "N03").values(booked))
        done = client.post(
            "/v1/patients/N03/reviews", json=REVIEW, headers=bearer | {"Idempotency-Key": "of-the-page-1"}
        )
        assert done.status_code == 201, done.text
        client.cookies.set("upstream_session", cookie)

        def look(query=""):
            found = client.get(f"/v1/teams/north/worklist{query}", headers=bearer).json()
            return client.get(f"/teams/north{query}").text, found

        yield look


@pytest.mark.parametrize("query", ["", "?ranking=gaps&outcome=disengagement&horizon=180"])
def test_a_row_says_in_one_line_what_its_json_says(team, query):
    page, found = team(query)
    rows = re.findall(r'<tr class="up-row">(.*?)</tr>', page, re.DOTALL)
    assert len(rows) == len(found["items"]) == 8
    for row, entry in zip(rows, found["items"], strict=True):
        rank, person, medicines, gaps, following, risk, _ = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        assert words(rank) == f"Rank by risk {entry['rank']}" + (" =" if entry["tied"] else "")
        assert f'href="/patients/{entry["patient_id"]}?view=' in person
        assert f"{short_in_100(entry['probability'])} in 100" in words(risk)
        for name in entry["medicines"][:2] or ["No medicine recorded"]:
            assert name in words(medicines)
        more = len(entry["medicines"]) - 2
        assert (f"and {more} more" in words(medicines)) == (more > 0)
        pressing = [gap for gap in entry["gaps"] if gap["shown"]][:1]
        shown = [gap_parts(gap["code"], gap["title"], gap["days_overdue"]) for gap in pressing]
        for what, long in shown:
            assert (f"{what}: {long}" if long else what) in words(gaps)
        assert gaps.count(STAR) == sum(not gap["verified"] for gap in pressing)
        assert ("Nothing overdue" in gaps) == (not entry["gaps"])
        folded = len(entry["gaps"]) - len(pressing)
        assert (f"and {folded} more" if pressing else f"{folded} less urgent") in words(gaps) or not folded
        assert not folded or "#gaps" in gaps
        as_of = dt.date.fromisoformat(found["run"]["as_of"])

        def near(day, as_of=as_of):
            return near_day(dt.date.fromisoformat(day), as_of)

        due = entry["next_due"]
        assert not due or f"{near(due['on'])} {due['what']}" in words(following)
        seen = entry["last_seen_on"]
        assert (f"Seen {near(seen)}" if seen else "Never recorded as seen") in words(person)
        booked = entry["next_booked_on"]
        assert (f"Booked {near(booked)}" if booked else "Nothing booked") in words(following)
        assert (", reviewed " in words(person)) == (entry["last_review"] is not None)
    assert page.count("A star marks a standard not yet verified by a pharmacist.") == 1 <= page.count(STAR)


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("risk", lambda e: -e["probability"]),
        ("seen", lambda e: e["last_seen_on"] or ""),
        ("name", lambda e: e["patient_id"]),
        ("next", lambda e: min(e["next_booked_on"] or "9", (e["next_due"] or {"on": "9"})["on"])),
    ],
)
def test_a_column_sorts_the_page_by_a_link_and_gives_the_lists_order_back(team, sort, key):
    plain, found = team()
    assert f"sort={sort}" in plain or sort == "seen"
    page, _ = team(f"?sort={sort}")
    shown = re.findall(r'scope="row"><a href="/patients/(\w+)', page)
    assert shown == [e["patient_id"] for e in sorted(found["items"], key=key)]
    assert page.count("aria-sort") == (0 if sort == "seen" else 1) and "reviews end here" not in page


def test_the_way_back_keeps_the_column(team):
    page, _ = team("?sort=next")
    assert "back=sort%3Dnext" in page


def test_everybody_with_a_critical_gap_stands_above_the_line(team):
    page, found = team()
    above = page.partition("reviews end here")[0]
    critical = [e for e in found["items"] if any(g["severity"] == "critical" and g["safety"] for g in e["gaps"])]
    assert critical and all(f"/patients/{e['patient_id']}?" in above for e in critical)
    places = [(not e["within_capacity"], not (e["within_capacity"] or e["in_critical_band"])) for e in found["items"]]
    assert places == sorted(places)


def test_what_is_arranged_for_a_person_stands_in_their_row(team):
    page, _ = team()
    row = words(page.split('scope="row"><a href="/patients/N03')[-1].split("</th>")[0])
    assert "Interpreter: Somali" in row and "Format: easy read" in row
    assert "Booked 3 Feb" in words(page)
    assert "reviewed " in row and "by Ann" in row


def test_gaps_of_one_severity_stand_with_the_longest_overdue_first(team):
    _, found = team()
    order = {"critical": 0, "high": 1, "medium": 2, "low": 3}
    several = 0
    for entry in found["items"]:
        keys = [(order[gap["severity"]], not gap["safety"], -(gap["days_overdue"] or 0)) for gap in entry["gaps"]]
        several += len(keys) > 1
        assert keys == sorted(keys)
    assert several > 2


def test_every_address_of_the_page_keeps_the_order_the_risk_and_the_filters(team):
    chosen = {"view": "disengagement-180", "ranking": "gaps", "reviewed": "never", "limit": "2"}
    page, _ = team("?" + "&".join(f"{name}={value}" for name, value in chosen.items()))
    links = re.findall(r'<a class="nhsuk-pagination__link[^"]*" href="([^"]+)"', page)
    assert links
    for link in links:
        kept = {name: value[0] for name, value in parse_qs(urlsplit(unescape(link)).query).items()}
        assert {name: kept.get(name) for name in chosen} == chosen and kept["offset"] != "0"
    for name in ("view", "ranking", "reviewed"):
        select = page.split(f'name="{name}"')[1].split("</select>")[0]
        assert re.search(rf'value="{chosen[name]}"[^>]*selected', select), name


def test_a_page_that_takes_too_long_says_so_and_what_to_do(home, start, monkeypatch):
    """The pages are made whole on the server, so this is what loading can end in."""
    import time

    cookie = issue_token(home, "pharmacist", ["north"], "Ann", kind="session")
    monkeypatch.setattr(serving.web.endpoints, "team_worklist", lambda *_, **__: time.sleep(0.8))
    with start(home, read_deadline_seconds=0.3) as client:
        client.cookies.set("upstream_session", cookie)
        answer = client.get("/teams/north")
    said = words(answer.text)
    assert answer.status_code == 503 and "Not available just now" in said
    assert "Until it is back, use the record itself and your usual list." in said
    assert "Try again in about 10 seconds" in said


def test_the_rows_of_a_list_leave_memory_with_its_page(team):
    """Without the collector of cycles: a page that waits for it costs it 20,000 objects, and keeps people in memory
    longer than anybody looks."""

    def kept():
        return sum(type(thing) is WorklistEntry for thing in gc.get_objects())

    team()
    gc.collect()
    gc.disable()
    try:
        before = kept()
        page, _ = team()
        assert page.count('class="up-row"') > 5 and kept() == before
    finally:
        gc.enable()
