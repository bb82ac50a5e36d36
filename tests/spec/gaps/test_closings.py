"""Overdue care that was closed lately is shown with the row that closed it."""

from __future__ import annotations

import numpy as np
import pytest

from features.gaps import people
from features.gaps.closings import closings
from features.records import day_of
from tests.spec.gaps.golden import AS_OF, family, records_of


def closed(**tables: str) -> list[tuple[str, str, int]]:
    """(code, what, days ago) of everything closed."""
    (case,) = family("CLZ_FBC_OVERDUE", "severity\n-", **tables)
    (person,) = people(records_of([case]), np.array([0]), day_of(AS_OF))
    return [(one.code, one.what, person.as_of - one.row.on) for one in closings(person)]


@pytest.mark.parametrize(
    ("before", "last", "shown"), [(40, 3, True), (31, 3, False), (60, 14, True), (60, 15, False), (32, 3, True)]
)
def test_a_clozapine_count_that_came_late_is_shown_for_14_days(before, last, shown):
    days = f"test taken_on value\nanc d-{before} 4\nwbc d-{before} 6\nanc d-{last} 4\nwbc d-{last} 6"
    found = closed(
        supplies="medicine supplied_on days_supplied\nclozapine d-700 390\nclozapine d-310 390", results=days
    )
    assert ("CLZ_FBC_OVERDUE" in {code for code, *_ in found}) is shown
    if shown:
        assert ("CLZ_FBC_OVERDUE", "full blood count", last) in found


@pytest.mark.parametrize(("last", "shown"), [(5, True), (12, True), (13, False)])
def test_an_injection_that_came_late(last, shown):
    lines = "\n".join(f"haloperidol_decanoate_injection d-{day} 28 administered" for day in (41, last))
    found = closed(supplies="medicine supplied_on interval_days kind\n" + lines)
    assert found == ([("LAI_OVERDUE", "haloperidol decanoate injection", last)] if shown else [])


def test_clozapine_supplied_again_after_a_break():
    lines = "medicine supplied_on days_supplied\nclozapine d-60 40\nclozapine d-10 28"
    assert ("CLZ_BREAK", "clozapine supplied", 10) in closed(supplies=lines)


def test_a_review_after_more_than_a_year():
    days = "contact_on kind\nd-500 medicines_review\nd-6 medicines_review"
    found = [("MEDICINES_REVIEW_OVERDUE", "medicines review", 6), ("NO_CONTACT", "contact", 6)]
    assert sorted(closed(contacts=days)) == found


@pytest.mark.parametrize(("before", "last", "shown"), [(100, 5, True), (95, 5, True), (94, 5, False), (120, 15, False)])
def test_seen_again_after_90_days(before, last, shown):
    found = closed(contacts=f"contact_on kind\nd-{before} routine\nd-{last} routine")
    assert found == ([("NO_CONTACT", "contact", last)] if shown else [])


@pytest.mark.parametrize(
    ("ended", "again", "shown"), [(25, 5, True), (19, 5, True), (18, 5, False), (40, 14, True), (40, 15, False)]
)
def test_a_tablet_supplied_again_after_a_gap(ended, again, shown):
    found = closed(
        supplies=f"medicine supplied_on days_supplied\nolanzapine d-{ended + 28} 28\nolanzapine d-{again} 28"
    )
    assert found == ([("SUPPLY_GAP_ORAL", "olanzapine supplied", again)] if shown else [])


def test_another_tablet_of_the_class_in_between_was_no_gap():
    lines = "olanzapine d-68 28\nquetiapine d-40 28\nolanzapine d-5 28"
    assert closed(supplies="medicine supplied_on days_supplied\n" + lines) == []


def test_days_in_hospital_are_no_gap():
    lines = "medicine supplied_on days_supplied\nolanzapine d-68 28\nolanzapine d-5 28"
    assert closed(supplies=lines, stays="admitted_on discharged_on\nd-41 d-6") == []


@pytest.mark.parametrize(("rows", "shown"), [("d-400 d-5", True), ("d-300 d-5", False), ("d-5", True), ("d-15", False)])
def test_allergy_status_confirmed_again_or_for_the_first_time(rows, shown):
    lines = "\n".join(f"allergy local none none {day}" for day in rows.split())
    found = closed(conditions="category system code label recorded_on\n" + lines)
    assert found == ([("ALLERGY_NOT_RECORDED", "allergy status", 5)] if shown else [])


def test_what_was_done_in_time_closes_nothing():
    lines = "medicine supplied_on days_supplied\nlithium d-700 390\nlithium d-310 390"
    results = "test taken_on value\n" + "\n".join(f"lithium_level d-{day} 0.6" for day in (170, 80, 5))
    assert closed(supplies=lines, results=results) == []
