"""The golden set: every case drawn by hand from docs/clinical.md and the reference tables."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest

from features import Records, find_gaps
from tests.spec.gaps import (
    cases_added,
    cases_changes,
    cases_clozapine,
    cases_clozapine_levels,
    cases_contact,
    cases_depot_oral,
    cases_harms,
    cases_lithium,
    cases_monitoring,
    cases_physical,
    cases_regimen,
    cases_valproate_review,
)
from tests.spec.gaps.golden import AS_OF, by_case, check, records_of

CASES = [
    *cases_clozapine.CASES,
    *cases_clozapine_levels.CASES,
    *cases_lithium.CASES,
    *cases_depot_oral.CASES,
    *cases_changes.CASES,
    *cases_regimen.CASES,
    *cases_physical.CASES,
    *cases_monitoring.CASES,
    *cases_valproate_review.CASES,
    *cases_contact.CASES,
    *cases_added.CASES,
    *cases_harms.CASES,
]


@cache
def records() -> Records:
    """All cases as records, made once: nobody changes them."""
    return records_of(CASES)


@cache
def found() -> pd.DataFrame:
    """What ``find_gaps`` finds in them."""
    return find_gaps(records(), AS_OF)


@cache
def answers() -> list[list[dict[str, Any]]]:
    """The gaps of each case."""
    return by_case(found(), len(CASES))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
def test_a_golden_case_gives_its_gaps(number: int) -> None:
    check(CASES[number], answers()[number])
