"""Records that cannot be right are not published: the earlier list stays, and every status page gives the reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from features.settings import ArrivalSettings
from serving.nightly.arrival import Acceptance, AcceptanceIncomplete, Arrived, refusals

ALLOWED = ArrivalSettings()
NIGHT = Arrived(
    as_of="2026-01-05",
    synthetic=False,
    people=400,
    listed=380,
    rows={"referrals": 500, "contacts": 9_000, "supplies": 8_000, "results": 4_000, "stays": 300, "patients": 400},
    newest={"referrals": "2026-01-03", "contacts": "2026-01-04", "supplies": "2026-01-04", "results": "2026-01-02"},
    teams={"T01": 200, "T02": 180},
    gaps={"CLZ_FBC_OVERDUE": 40, "NO_CONTACT": 60, "RARE": 2},
)


def next_night(**changes):
    return replace(NIGHT, **{"as_of": "2026-01-06", **changes})


def rows(**changes):
    return {**NIGHT.rows, **changes}


CASES = {
    "an ordinary night": ({}, []),
    "a few rows fewer, a few people more": ({"rows": rows(results=3_900), "people": 420, "listed": 399}, []),
    "referrals cut to 60 rows": (
        {"rows": rows(referrals=60), "listed": 29, "teams": {"T01": 15, "T02": 14}},
        ["referrals: rows fell from 500 to 60", "people on the lists fell from 380 to 29", "team T01", "team T02"],
    ),
    "an empty table of results": (
        {"rows": rows(results=0), "newest": {**NIGHT.newest, "results": "2026-01-02"}},
        ["results: rows fell from 4,000 to 0"],
    ),
    "a table gone": (
        {"newest": {name: day for name, day in NIGHT.newest.items() if name != "supplies"}},
        ["supplies: no row has a date"],
    ),
    "twice everything": ({"rows": rows(contacts=19_000)}, ["contacts: rows grew from 9,000 to 19,000"]),
    "a list that grows by half and more": ({"listed": 600}, ["people on the lists grew from 380 to 600"]),
    "a team gone": ({"teams": {"T01": 380}, "listed": 380}, ["list of team T02 fell from 180 to 0"]),
    "an extract of last month": (
        {"newest": dict.fromkeys(NIGHT.newest, "2025-12-04")},
        ["referrals: the newest row", "contacts: the newest row", "supplies: the newest", "results: the newest"],
    ),
    "the newest record a day older": (
        {"newest": {**NIGHT.newest, "contacts": "2026-01-03", "supplies": "2026-01-03"}},
        ["the newest record of all is of 2026-01-03, and was of 2026-01-04 before"],
    ),
    "a clock of last year": ({"as_of": "2025-01-06"}, ["the published one is as of 5 January 2026"]),
    "a clock of next year": ({"as_of": "2099-01-06"}, ["which is in the future"]),
    "a gap that everybody has at once": (
        {"gaps": {**NIGHT.gaps, "CLZ_FBC_OVERDUE": 300}},
        ["people with CLZ_FBC_OVERDUE: 40 before and 300 now"],
    ),
    "a gap that nobody has any more": ({"gaps": {"CLZ_FBC_OVERDUE": 40}}, ["people with NO_CONTACT: 60 before and 0"]),
    "a rare gap": ({"gaps": {**NIGHT.gaps, "RARE": 9}}, []),
    "gaps not known yet": ({"gaps": None}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_an_implausible_night_is_refused_with_its_reasons(case):
    changes, expected = CASES[case]
    found = refusals(next_night(**changes), NIGHT, dt.date(2026, 1, 5), ALLOWED)
    assert len(found) == len(expected), found
    for reason, words in zip(found, expected, strict=True):
        assert words in reason


@pytest.mark.parametrize(
    ("then", "now", "refused"),
    [(12, 6, True), (19, 9, True), (12, 0, True), (5, 0, True), (12, 7, False), (4, 0, False), (8, 4, False)],
)
def test_half_of_a_small_table_lost_is_refused(then, now, refused):
    before = replace(NIGHT, rows=rows(referrals=then))
    found = refusals(next_night(rows=rows(referrals=now)), before, dt.date(2026, 1, 5), ALLOWED)
    assert found == ([f"referrals: rows fell from {then} to {now}, by half or more"] if refused else [])


def test_the_first_list_is_refused_if_a_main_table_is_empty():
    assert refusals(NIGHT, None, None, ALLOWED) == []
    assert refusals(replace(NIGHT, rows=rows(results=0)), None, None, ALLOWED) == ["results holds no rows"]
    assert refusals(replace(NIGHT, rows=rows(results=0), listed=3), None, None, ALLOWED) == []


def test_the_first_list_of_real_people_is_not_compared_with_the_demos():
    assert refusals(next_night(people=9_000, listed=8_000), replace(NIGHT, synthetic=True), None, ALLOWED) == []


@pytest.mark.parametrize(("by", "why"), [("", "x"), ("Sam", ""), (" ", " ")])
def test_accepting_a_list_needs_a_name_and_a_reason(by, why):
    with pytest.raises(AcceptanceIncomplete):
        Acceptance(by, why)
