"""The words of an action fit the severity of its gap: one that asks for haste has a gap that is high or critical."""

from __future__ import annotations

import re

from features.reference.medicines.stops import SUDDEN_STOPS
from tests.spec.gaps import test_golden, test_vignettes
from tests.spec.gaps.golden import AS_OF

URGENT = re.compile(r"\b(today|now|same[- ]day|emergency|urgent|at once|immediately)\b", re.IGNORECASE)
WEEKS_OLD = ("LAI_OVERDUE", "NO_ANTIPSYCHOTIC")
"""Critical because of what may follow; the day on which somebody asks matters less than that the person is reached."""


def test_only_actions_of_critical_gaps_ask_for_urgency() -> None:
    gaps = [gap for case in (*test_vignettes.found(), *test_golden.answers()) for gap in case]
    milder = [g for g in gaps if g["severity"] in ("medium", "low") and str(g["due_on"])[:10] != str(AS_OF)]
    assert {(g["code"], g["action"]) for g in milder if URGENT.search(g["action"])} == set()
    critical = [g for g in gaps if g["severity"] == "critical" and g["code"] not in WEEKS_OLD]
    assert {(g["code"], g["action"]) for g in critical if not URGENT.search(g["action"])} == set()
    assert len(milder) > 500 and len(critical) > 100


def test_a_sudden_stop_says_today_where_it_is_high() -> None:
    for row in SUDDEN_STOPS:
        assert bool(URGENT.search(row.action)) == (row.severity == "high"), row.scope
