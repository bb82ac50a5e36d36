"""The table of checks never calls a check not recorded whose result was recorded and not understood."""

from __future__ import annotations

import datetime as dt

import pytest

from serving.people.schemas import CheckDue, LastYear, ResultEvent, SupplyEvent
from serving.scoring.schemas import UnreadValueOut
from serving.web.charts.year_view import year_of

AS_OF = dt.date(2026, 1, 2)
ON = dt.date(2025, 12, 28)
DUE = CheckDue(test="fbc", label="full blood count", due_on=ON, last_on=None, grace_days=0)


@pytest.mark.parametrize(
    ("concept", "on", "expected"), [("anc", ON, (ON,)), ("fbc", None, (None,)), ("lithium_level", ON, ())]
)
def test_a_result_that_was_not_understood_stands_with_the_check_it_was_for(concept, on, expected):
    record = LastYear(supplies=[], results=[], dues=[DUE], contacts=[], stays=[])
    lost = UnreadValueOut(
        table="results", column="value", value="clotted", concept=concept, on=on, known_on=on, reason="not a number"
    )
    (check,) = year_of(record, AS_OF, [lost]).checks
    assert check.unread == expected and check.done == ()


def result(test, on, value=5.0):
    return ResultEvent(on=on, test=test, label=test, value=value, unit="")


def test_a_result_that_satisfies_a_check_is_drawn_as_that_check_and_has_no_lane_of_its_own():
    record = LastYear(supplies=[], results=[result("wbc", ON)], dues=[DUE], contacts=[], stays=[])
    (check,) = year_of(record, AS_OF, []).checks
    assert check.labels == ("full blood count",) and check.done == (ON,)


CLOZAPINE = SupplyEvent(
    on=ON,
    medicine="clozapine",
    kind="dispensed",
    injection=False,
    covers_from=ON,
    covers_to=ON + dt.timedelta(days=28),
    mg=300,
    as_required=False,
)


@pytest.mark.parametrize(
    ("tests", "is_done"), [(("wbc",), False), (("anc",), False), (("wbc", "anc"), True), (("fbc",), True)]
)
def test_on_clozapine_a_blood_count_is_a_whole_one_as_the_schedule_has_it(tests, is_done):
    record = LastYear(
        supplies=[CLOZAPINE], results=[result(test, ON) for test in tests], dues=[DUE], contacts=[], stays=[]
    )
    (check,) = year_of(record, AS_OF, []).checks
    assert (check.done == (ON,)) is is_done
