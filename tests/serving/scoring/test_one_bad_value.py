"""One value that cannot be read sets aside that value or its row, on the person it belongs to: everybody is scored."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable

import pytest

from models import RiskModel
from serving.scoring.reading import read_scores
from serving.scoring.service import answer_of

LEVEL = {"test": "lithium_level", "taken_on": "2025-11-20", "value": 0.7, "unit": "mmol/L"}
SUPPLY = {"medicine": "olanzapine", "supplied_on": "2025-11-20", "days_supplied": 28, "kind": "dispensed"}
OPEN = {"referral_id": "r1", "team_id": "T01", "opened_on": "2023-01-10"}
OTHER = {**OPEN, "referral_id": "r2"}
BAD = {
    "a comparator": ("results", LEVEL, "value", "<0.1"),
    "words for a number": ("results", LEVEL, "value", "see report"),
    "a truth for a number": ("results", LEVEL, "value", True),
    "a number too large": ("results", LEVEL, "value", 1e308),
    "a number for a day": ("results", LEVEL, "taken_on", 45.5),
    "no such day": ("supplies", SUPPLY, "supplied_on", "2025-02-30"),
    "a unit that is none of days": ("supplies", SUPPLY, "days_supplied", "28 tablets"),
    "words for a truth": ("supplies", SUPPLY, "as_required", "maybe"),
    "a number for a word": ("supplies", SUPPLY, "route", 7),
    "a word not in the list": ("supplies", SUPPLY, "kind", "borrowed"),
    "a day for a number of a person": ("patients", {}, "deprivation_decile", "2025-01-01"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unreadable_value_is_reported_and_everybody_is_scored(client, as_role, case):
    table, row, column, value = BAD[case]
    people = [
        {"patient_id": "well", "tables": {"referrals": [OPEN], "results": [LEVEL]}},
        {
            "patient_id": "odd",
            "tables": {"referrals": [{**OPEN, "referral_id": "r2"}], table: [{**row, column: value}]},
        },
    ]
    got = client.post("/v1/scores", json={"as_of": "2025-12-01", "people": people}, headers=as_role("cmht_system"))
    assert got.status_code == 200, got.text
    well, odd = got.json()["people"]
    assert well["flags"]["set_aside"] == []
    if case != "a comparator":  # what a comparator is read as is the records' own rule
        assert (table, 0, column) in {(s["table"], s["row"], s["column"]) for s in odd["flags"]["set_aside"]}


def test_what_is_no_value_at_all_is_refused_with_its_place(client, as_role):
    people = [{"patient_id": "odd", "tables": {"results": [LEVEL, {**LEVEL, "value": [1, 2]}]}}]
    got = client.post("/v1/scores", json={"people": people}, headers=as_role("cmht_system"))
    assert got.status_code == 422
    assert got.json()["errors"] == [
        {"where": "body.people[0].tables.results[1].value", "what": "must be a text, a number, true, false or null"}
    ]


MOST_CALLS = 300
"""Calls of functions for each row set aside. A row took 0.8 ms once; these are 150 calls and a tenth of that."""


@pytest.mark.parametrize("case", ["words for a number", "no such day", "a word not in the list"])
def test_a_row_set_aside_costs_little_work(made_home, case):
    """Counted, not timed: a request of many bad rows may not hold up the service."""
    table, row, column, value = BAD[case]
    bundles = made_home / "bundles"
    model, today = RiskModel.load(bundles / (bundles / "current").read_text().strip()), dt.date(2026, 1, 5)

    def calls(rows: int) -> int:
        bad = [{**row, column: f"{value}{number}"} for number in range(rows)]
        body = json.dumps({"people": [{"patient_id": "odd", "tables": {table: bad}}]}).encode()
        return calls_of(lambda: answer_of(model, read_scores(body), today, today))

    calls(10)  # what is made once
    few, many = calls(100), calls(1_100)
    assert (many - few) / 1_000 < MOST_CALLS


def calls_of(work: Callable[[], object]) -> int:
    seen = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen
