"""Checks asked for again count as missed where they were never done, also by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from features.gaps import people
from features.gaps.person_view import PersonAsKnown
from features.gaps.rules.monitoring.again import late_after_a_change, late_after_a_rise
from features.records import day_of
from tests.spec.gaps.golden import AS_OF, Case, records_of
from tests.spec.gaps.vignettes import Vignette
from tests.spec.gaps.vignettes_in_time import CHANGED, RAISED


def without_results(one: Vignette) -> PersonAsKnown:
    tables = {name: text for name, text in one.tables.items() if name != "results"}
    records = records_of([Case("", one.name, tables, "-", "-", "-", "-", "-")])
    (found,) = people(records, np.arange(1), day_of(AS_OF))
    return found


def test_after_a_higher_dose():
    tests = [{due.item.test for due, _ in late_after_a_rise(without_results(one))} for one in (RAISED[0], RAISED[-1])]
    assert tests == [{"lft"}, set()]


@pytest.mark.parametrize(
    ("ago", "tests"),
    [(110, {"weight_bmi", "blood_pressure", "pulse", "hba1c", "lipids"}), (30, {"weight_bmi"})],
    ids=["at 12 weeks", "weekly"],
)
def test_after_another_antipsychotic(ago, tests):
    one = next(one for one in CHANGED if one.name.startswith(f"olanzapine since {ago} days after"))
    assert {due.item.test for due, _ in late_after_a_change(without_results(one))} == tests
