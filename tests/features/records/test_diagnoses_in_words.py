"""Diagnoses that are asked about, ruled out, somebody else's, or in words that no table holds: shown, and never read
as a diagnosis."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records, find_gaps
from tests.tables import TODAY


def read(category="diagnosis", system=None, code=None, label=None, door="frames"):
    row = {"patient_id": "anna", "category": category, "system": system, "code": code, "label": label}
    row["recorded_on"] = "2025-01-05"
    people = [{"patient_id": "anna"}]
    if door == "request":
        columns = {"patients": {"patient_id": ["anna"]}, "conditions": {name: [value] for name, value in row.items()}}
        return Records.from_columns(columns, today=TODAY)
    return Records.from_frames({"patients": pd.DataFrame(people), "conditions": pd.DataFrame([row])}, today=TODAY)


def said(records):
    return [(one.column, one.value) for one in records.unread_of("anna")]


@pytest.mark.parametrize("door", ["frames", "request"])
@pytest.mark.parametrize(
    ("code", "label", "expected"),
    [
        ("F20.0", "schizophrenia", []),
        ("F20.0?", None, [("code", "F20.0?")]),
        ("?F31", "bipolar", [("code", "?F31")]),
        (None, "Psychosis", []),
        (None, "? psychosis", [("label", "? psychosis")]),
        (None, "FH: bipolar", [("label", "FH: bipolar")]),
        (None, "No evidence of psychosis", [("label", "No evidence of psychosis")]),
        (None, "historic hypomanic episode", [("label", "historic hypomanic episode")]),
        (None, "Not pregnant", [("label", "Not pregnant")]),
        ("DX-7", "query schizophrenia", [("label", "query schizophrenia")]),
        ("-", "suspected dementia", [("label", "suspected dementia")]),
        ("F32.9", "depression without psychotic symptoms", []),  # the code decides
        (None, "asthma", []),
    ],
)
def test_a_diagnosis_in_words_is_read_or_shown(door, code, label, expected):
    assert said(read(code=code, label=label, door=door)) == expected


@pytest.mark.parametrize("words", ["? psychosis", "FH: bipolar", "no evidence of psychosis", "schizophrenia ruled out"])
def test_no_rule_reads_it_as_a_diagnosis(words):
    assert "NO_ANTIPSYCHOTIC" not in set(find_gaps(read(label=words), "2025-07-01")["code"])
    assert "NO_ANTIPSYCHOTIC" not in set(find_gaps(read(code="F20.0?"), "2025-07-01")["code"])
    assert "NO_ANTIPSYCHOTIC" in set(find_gaps(read(label="Psychosis"), "2025-07-01")["code"])


@pytest.mark.parametrize("written", ["Allergies", "Adverse reaction", "drug intolerance"])
def test_other_words_for_an_allergy(written):
    records = read(category=written, label="clozapine")
    assert records["conditions"]["category"].tolist() == ["allergy"] and said(records) == []
