"""A gap never says "not recorded" of what was recorded and not understood, and writes a bound with its sign."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records, find_gaps
from tests.spec.gaps.golden import AS_OF, date
from tests.tables import TODAY, table

CLOZAPINE = "medicine supplied_on days_supplied\nclozapine d-700 400\nclozapine d-300 360"
VALPROATE = "medicine supplied_on days_supplied\nvalproate d-100 130"


def said(code: str, supplies: str, **tables: str) -> str:
    """The value of one gap of a woman of 30."""
    frames = {
        name: table(date(text)).assign(patient_id="anna") for name, text in {"supplies": supplies, **tables}.items()
    }
    people = pd.DataFrame([{"patient_id": "anna", "sex": "female", "birth_date": "1995-01-01"}])
    records = Records.from_frames({"patients": people, **frames}, today=TODAY)
    gaps = find_gaps(records, AS_OF)
    return "; ".join(gaps[gaps["code"] == code]["value"])


RESULTS = "test taken_on value unit known_on\n"


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ("", "full blood count: not recorded"),
        ("anc d-3 haemolysed 10^9/L d-3", "full blood count: recorded but not understood (2025-06-28)"),
        ("anc d-3 haemolysed 10^9/L d", "full blood count: not recorded"),
        ("anc d-3 0.4 furlongs d-3", "full blood count: recorded but not understood (2025-06-28)"),
        (
            "anc d-60 4.0 10^9/L d-60\nwbc d-60 6.0 10^9/L d-60\nwbc d-3 clotted 10^9/L d-3",
            "full blood count: last recorded 2025-05-02; since then recorded but not understood (2025-06-28)",
        ),
        (
            "anc d-60 4.0 10^9/L d-60\nwbc d-60 6.0 10^9/L d-60\nwbc d-90 clotted 10^9/L d-90",
            "full blood count: last recorded 2025-05-02",
        ),
    ],
)
def test_a_count_that_was_not_understood_is_not_called_not_recorded(results, words):
    tables = {"results": RESULTS + results} if results else {}
    value = said("CLZ_FBC_OVERDUE", CLOZAPINE, **tables)
    assert value.startswith(words)
    assert value.count("not understood") == words.count("not understood")


@pytest.mark.parametrize(
    ("value", "words"),
    [("not_sure", "childbearing potential recorded but not understood (2025-06-21)"), (None, "not recorded")],
)
def test_a_circumstance_that_was_not_understood_is_not_called_not_recorded(value, words):
    tables = {"circumstances": f"kind value from_on known_on\nchildbearing_potential {value} d-10 d-9"} if value else {}
    assert words in said("VALPROATE_PPP", VALPROATE, **tables)


def test_a_bound_is_written_with_its_sign():
    results = RESULTS + "anc d-2 <0.5 10^9/L d-2"
    assert said("CLZ_RESULT_RED_AMBER", CLOZAPINE, results=results).startswith("neutrophils <0.5 10^9/L on 2025-06-29")


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (None, "allergy status not recorded"),
        ("allergy d-900000 d-5", "allergy status recorded but not understood"),
        ("alergy d-10 d-9", "allergy status recorded but not understood (2025-06-21)"),
        ("diagnosis d-10 d-9", "allergy status not recorded"),
    ],
)
def test_an_allergy_that_was_set_aside_is_not_called_not_recorded(conditions, words):
    tables = {"conditions": f"category recorded_on known_on\n{conditions}"} if conditions else {}
    if conditions and "900000" in conditions:
        tables["conditions"] = tables["conditions"].replace("d-900000", "someday")
    assert said("ALLERGY_NOT_RECORDED", VALPROATE, **tables) == words
