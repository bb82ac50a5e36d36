"""What applies to a person and could not be checked: "nothing found" is shown only beside it."""

from __future__ import annotations

import numpy as np

from features.gaps import unchecked_of
from features.records import day_of
from tests.spec.gaps.golden import AS_OF, family, records_of


def unchecked(**tables: str) -> list[str]:
    (case,) = family("NO_CONTACT", "severity\n-", **tables)
    return unchecked_of(records_of([case]), np.array([0]), day_of(AS_OF))[0]


def test_an_empty_record_is_listed_as_not_checked():
    assert unchecked() == [
        "limits that turn on the date of birth: not recorded",
        "medicines: none recorded",
        "results: none recorded",
    ]


def test_a_check_whose_condition_is_not_recorded_is_named():
    tables = {
        "supplies": "medicine supplied_on days_supplied\nvalproate d-60 90",
        "results": "test taken_on value\nsodium d-9 140",
    }
    woman = unchecked(patients="birth_date sex\n1990-01-01 female", **tables)
    man = unchecked(patients="birth_date sex\n1990-01-01 male", **tables)
    assert "whether annual risk acknowledgement form is due" in woman
    assert "valproate annual form: childbearing potential not recorded" in woman
    assert not [line for line in man if "annual risk" in line or "childbearing" in line]


def test_where_all_is_recorded_nothing_is_left_unchecked():
    assert (
        unchecked(
            patients="birth_date sex\n1950-01-01 male",
            supplies="medicine supplied_on days_supplied daily_dose_mg\nsertraline d-60 90 50",
            results="test taken_on value\nsodium d-9 140",
        )
        == []
    )
