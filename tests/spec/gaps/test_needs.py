"""A rule is left out for a person only where it would find nothing: every rule, asked about everybody, finds the same
as the rules that the needs leave."""

from __future__ import annotations

import numpy as np

from features.gaps import PLAN, RULES, people
from features.gaps.rules.needs_by_rule import NEEDS
from features.records import day_of
from tests.spec.gaps.golden import AS_OF, Case, records_of
from tests.spec.gaps.test_vignettes import VIGNETTES


def test_a_rule_that_is_left_out_finds_nothing() -> None:
    records = records_of([Case("", v.name, v.tables, "-", "-", "-", "-", "-") for v in VIGNETTES])
    left_out = 0
    for person in people(records, np.arange(len(records.patient_ids)), day_of(AS_OF)):
        asked = PLAN.of(person)
        for rule in RULES:
            if rule not in asked:
                left_out += 1
                assert list(rule(person)) == [], f"{rule.__name__} is left out of case {person.place}"
    assert left_out > len(VIGNETTES) * len(RULES) / 4


def test_each_need_is_of_a_rule() -> None:
    assert set(NEEDS) <= set(RULES)
