"""A prescription, its dispensing and its administration are one supply; several strengths of one day are one supply;
supply in hand carries over, but not without end."""

from __future__ import annotations

import datetime as dt

import pytest

from features import build, find_gaps
from tests.tables import records, spine

COVERED = "antipsychotic_covered_90d"


def _breaks(supplies: str, as_of: str = "2025-12-01") -> list[str]:
    found = find_gaps(records(supplies=supplies), as_of)
    return list(found[found.code == "CLZ_BREAK"].severity)


def _regimen(supplies: str, as_of: str, *fields: str) -> list[float]:
    return build(records(supplies=supplies), spine(f"anna {as_of}"), list(fields)).values[0].tolist()


HEAD = "patient_id medicine kind supplied_on days_supplied daily_dose_mg known_on prescriber\n"


def _rows(*rows: str) -> str:
    return HEAD + "\n".join(f"anna {row}" for row in rows)


def test_a_prescription_and_its_dispensing_are_one_supply():
    """28 days of tablets, written twice, are 28 days: they ran out on 11 November."""
    written = "clozapine prescribed 2025-10-13 28 325 2025-10-13 trust"
    handed = "clozapine dispensed 2025-10-14 28 325 2025-10-14 trust"
    assert _breaks(_rows(handed)) == ["critical"]
    assert _breaks(_rows(written, handed)) == ["critical"]
    assert _breaks(_rows(written)) == ["critical"]


def test_a_repeat_prescription_and_the_supplies_collected_on_it():
    repeat = "clozapine prescribed 2025-07-01 168 325 2025-07-01 trust"
    collected = [f"clozapine dispensed 2025-{day} 28 325 2025-{day} trust" for day in ("07-01", "07-29", "08-26")]
    assert _breaks(_rows(repeat), "2025-10-10") == []
    assert _breaks(_rows(repeat, *collected), "2025-10-10") == ["critical"], "collected until 23 September only"


def test_a_prescription_nobody_collected_is_no_supply():
    collected = "clozapine dispensed 2025-10-13 28 325 2025-10-13 trust"
    waiting = "clozapine prescribed 2025-11-24 28 325 2025-11-24 trust"
    assert _breaks(_rows(collected, waiting)) == ["critical"]
    assert _breaks(_rows(collected, waiting.replace("trust", "gp"))) == [], (
        "another prescriber's feed has no dispensing"
    )


def test_a_dispensing_known_later_changes_no_earlier_day():
    written = "olanzapine prescribed 2025-01-01 28 10 2025-01-01 trust"
    handed = "olanzapine dispensed 2025-01-11 28 15 2025-01-20 trust"
    both = _rows(written, handed)
    for day in ("2025-01-12", "2025-01-20"):
        assert _regimen(both, day, "longest_course_days") == _regimen(_rows(written), day, "longest_course_days")
    assert _regimen(both, "2025-01-21", "longest_course_days") == [10]


def test_strengths_of_one_day_add_up_and_their_days_do_not():
    strengths = _rows(
        "quetiapine dispensed 2025-11-10 28 600 2025-11-10 trust",
        "quetiapine dispensed 2025-11-10 28 300 2025-11-11 trust",
    )
    one = _rows("quetiapine dispensed 2025-11-10 28 900 2025-11-10 trust")
    fields = ("percent_of_max", "dose_changes_28d", "regular_items")
    assert _regimen(strengths, "2025-11-11", "percent_of_max") == [80], "the second strength is not known yet"
    assert _regimen(strengths, "2025-12-01", *fields) == _regimen(one, "2025-12-01", *fields)
    two = [f"clozapine dispensed 2025-10-13 28 {mg} 2025-10-13 trust" for mg in (300, 25)]
    assert _breaks(_rows(*two)) == ["critical"]


def test_a_row_sent_twice_with_more_in_it_is_one_supply():
    supplies = """
    patient_id  medicine    kind       route  supplied_on  days_supplied  daily_dose_mg  known_on
    anna        quetiapine  dispensed  -      2025-11-10   28             600            2025-11-10
    anna        quetiapine  dispensed  oral   2025-11-10   28             600            2025-11-12
    """
    assert _regimen(supplies, "2025-12-01", "percent_of_max") == [80]


@pytest.mark.parametrize("every", [21, 26, 27])
def test_a_habit_of_early_collection_does_not_hide_that_nothing_was_collected(every):
    """28 days collected early for two years, and nothing for 40 days, is a break."""
    last = dt.date(2025, 12, 1) - dt.timedelta(days=40)
    days = [last - dt.timedelta(days=every * n) for n in range(27)]
    assert _breaks(_rows(*(f"clozapine dispensed {day} 28 325 {day} trust" for day in days))) == ["critical"]


@pytest.mark.parametrize(("second", "left"), [("2025-01-24", 28 - 3), ("2025-01-22", 28 - 3), ("2025-01-15", 28 - 10)])
def test_at_most_a_week_in_hand_is_counted(second, left):
    """The first lasts to 28 January. Collected 5, 7 and 14 days early, the second lasts to 25, 25 and 18 February."""
    supplies = _rows(
        "olanzapine dispensed 2025-01-01 28 10 2025-01-01 trust", f"olanzapine dispensed {second} 28 10 {second} trust"
    )
    assert _regimen(supplies, "2025-02-01", "antipsychotic_supply_left_days") == [left]
