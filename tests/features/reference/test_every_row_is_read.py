"""Every row of the tables of limits, schedules and interactions is read by a rule. A row that nothing reads would be a
promise that nobody keeps: give it a rule, or take it out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import features
from features.monitoring import due_dates
from features.reference import INTERACTIONS, PROTOCOLS, THRESHOLDS, pairs


@cache
def code() -> str:
    """The text of every module that may hold a rule."""
    folder = Path(features.__file__).parent
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))


@cache
def told() -> set[int]:
    """Positions of the interactions that speak for some pair of medicines."""
    return {int(place) for place in pairs().ravel() if place >= 0}


@pytest.mark.parametrize("key", THRESHOLDS)
def test_a_limit_is_named_by_a_rule(key):
    assert f'"{key}"' in code()


def test_a_schedule_row_is_one_that_the_engine_schedules():
    assert {row.id for item in due_dates.items() for row in item.rows} == {row.id for row in PROTOCOLS}


@pytest.mark.parametrize("row", INTERACTIONS, ids=[row.id for row in INTERACTIONS])
def test_an_interaction_is_a_pair_of_medicines_or_is_named_by_a_rule(row):
    if row.b_type == "medicine":
        assert INTERACTIONS.index(row) in told(), "another row speaks for every pair of it"
    else:
        assert f'"{row.id}"' in code()
