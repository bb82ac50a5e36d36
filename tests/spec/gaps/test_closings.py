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
    assert closed(contacts=days) == [("MEDICINES_REVIEW_OVERDUE", "medicines review", 6)]


def test_what_was_done_in_time_closes_nothing():
    lines = "medicine supplied_on days_supplied\nlithium d-700 390\nlithium d-310 390"
    results = "test taken_on value\n" + "\n".join(f"lithium_level d-{day} 0.6" for day in (170, 80, 5))
    assert closed(supplies=lines, results=results) == []
