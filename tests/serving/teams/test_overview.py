"""The team page: changes, gaps by kind, reviews against capacity, the unseen, freshness, and an equality view that
identifies nobody."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.teams.suppression import LEAST, suppressed

REVIEW = {"actions": ["gp_informed"], "medicines_reconciled": True, "allergies_up_to_date": True}
REVIEW |= {"side_effects_assessed": False, "listing_was": "useful"}


@pytest.fixture(scope="module")
def seen(made_home, tmp_path_factory, world):
    """Two weekly lists of the small trust, and a review of everybody who had a slot on the first; as (first list,
    overview, page)."""
    import shutil

    from tests.serving.conftest import client_of

    home = shutil.copytree(made_home, tmp_path_factory.mktemp("overview") / "home")
    head = {"Authorization": f"Bearer {issue_token(home, 'pharmacist', ['north'], 'Priya')}"}
    cookie = issue_token(home, "pharmacist", ["north"], "Priya", kind="session")
    with client_of(home) as client:
        before = client.get("/v1/teams/north/worklist", headers=head).json()
        for entry in before["items"][:2]:
            address = f"/v1/patients/{entry['patient_id']}/reviews"
            assert client.post(address, json=REVIEW, headers=head | {"Idempotency-Key": f"over-{entry['patient_id']}"})
        score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
        found = client.get("/v1/teams/north/overview", headers=head).json()
        client.cookies.set("upstream_session", cookie)
        page = client.get("/teams/north/overview").text
        whole = client.get("/v1/teams/north/worklist", headers=head).json()
    return before, found, page, whole


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_who_left_and_why_and_who_is_new(seen):
    before, found, page, _ = seen
    reviewed = {entry["patient_id"] for entry in before["items"][:2]}
    left = {entry["patient_id"]: entry["reason"] for entry in found["changes"]["left"]}
    assert {person for person, reason in left.items() if reason == "reviewed"} == reviewed
    newest = found["run"]["as_of"]
    joined = {entry["patient_id"] for entry in found["changes"]["joined"] if entry["as_of"] == newest}
    assert joined and not joined & reviewed
    for person in (*left, *joined):
        assert f">{person}</a>" in page
    assert "Reviewed" in text(page) and "says nothing about a person's need" in text(page)


def test_gaps_by_kind_count_people_and_lead_to_the_list_cut_to_them(seen):
    _, found, page, whole = seen
    for kind in found["gaps"]:
        having = [e for e in whole["items"] if kind["code"] in {gap["code"] for gap in e["gaps"]}]
        assert kind["people"] == len(having)
        assert f'href="/teams/north?gap={kind["code"]}"' in page
    order = [
        (not kind["safety"], ["critical", "high", "medium", "low"].index(kind["severity"])) for kind in found["gaps"]
    ]
    assert order == sorted(order)


def test_reviews_this_week_are_shown_with_the_capacity(seen, world):
    _, found, page, whole = seen
    assert found["weeks"][0]["reviewed"] == whole["reviews_this_week"] == 2
    assert f"2 of {world.NORTH_CAPACITY}" in text(page)
    assert found["listings"] == {"useful": 2}


def test_people_unseen_for_longest_are_ordered_with_never_seen_first(seen):
    _, found, page, _ = seen
    days = [person["last_seen_on"] or "" for person in found["unseen_longest"]]
    assert days == sorted(days) and days[0] == "", "N01 was never recorded as seen"
    assert "Never recorded as seen" in text(page)


def test_each_source_says_how_old_it_is_and_who_has_none(seen):
    _, found, page, _ = seen
    contacts = next(source for source in found["sources"] if source["source"] == "contacts")
    assert contacts["people_without"] == 1 and contacts["newest_age_days"] is not None
    assert "medicine supplies" in text(page).lower()


def test_small_groups_are_hidden_on_the_page(seen):
    _, found, page, _ = seen
    for table in found["equality"]["tables"]:
        for row in table["groups"]:
            assert all(
                row[name] is None or row[name] == 0 or row[name] >= LEAST for name in ("people", "slots", "reviewed")
            )
    assert "hidden" in text(page[page.index('id="equality"') :])


def test_a_single_small_number_hides_a_second_one():
    assert suppressed({"a": 30, "b": 12, "c": 3}) == {"a": 30, "b": None, "c": None}
    assert suppressed({"a": 30, "b": 2, "c": 2}) == {"a": None, "b": None, "c": None}, (
        "4 together would be known as 2 and 2 or 1 and 3"
    )
    assert suppressed({"a": 30, "b": 12, "c": 0}) == {"a": 30, "b": 12, "c": 0}
    assert suppressed({"a": 3}) == {"a": None}


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 40), max_size=8))
def test_nothing_hidden_can_be_worked_out_from_the_total(counts):
    """The law: what is hidden is nothing, or everything, or at least two cells of at least ``LEAST`` together; no
    small number is shown."""
    shown = suppressed(counts)
    hidden = [group for group, count in shown.items() if count is None]
    assert all(shown[group] == counts[group] for group in shown if group not in hidden)
    assert not [count for count in shown.values() if count is not None and 0 < count < LEAST]
    enough = len(hidden) >= 2 and sum(counts[group] for group in hidden) >= LEAST
    assert not hidden or enough or len(hidden) == len(counts)


STAR = '<abbr title="not yet verified by a pharmacist">*</abbr>'
STAR_SAID = "A star marks a standard not yet verified by a pharmacist."


def test_a_standard_that_is_not_yet_verified_has_a_star_at_each_kind_and_the_page_says_once_what_it_means(seen):
    _, found, page, whole = seen
    unverified = {gap["code"] for entry in whole["items"] for gap in entry["gaps"] if not gap["verified"]}
    kinds = {kind["code"]: kind["verified"] for kind in found["gaps"]}
    assert unverified and not any(kinds[code] for code in unverified)
    assert page.count(STAR) == list(kinds.values()).count(False)
    assert page.count(STAR_SAID) == 1
