"""The table of checks never calls a check not recorded whose result was recorded and not understood."""

from __future__ import annotations

import datetime as dt

import pytest

from serving.people.schemas import CheckDue, LastYear
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
