"""Results as laboratories write them: the unit beside the number, other spellings of units, other names of tests."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records
from tests.tables import TODAY


def read(test, value, unit=None):
    row = {"patient_id": "anna", "test": test, "taken_on": "2025-11-01", "value": value, "unit": unit}
    frames = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "results": pd.DataFrame([row], dtype=object)}
    return Records.from_frames(frames, today=TODAY)


@pytest.mark.parametrize(
    ("test", "value", "unit", "number"),
    [
        ("lithium_level", "2.1 mmol/L", None, 2.1),
        ("lithium_level", "2.1mmol/l", "mmol/L", 2.1),
        ("lithium_level", "2,1 mEq/L", None, 2.1),
        ("anc", "0.4 x10^9/L", "", 0.4),
        ("anc", "400/uL", None, 0.4),
        ("hba1c", "7.2 %", None, 55.19),
        ("qtc", "510ms", None, 510),
        ("weight", "96.5kg", None, 96.5),
        ("anc", "0.4", "10^9 per litre", 0.4),
        ("anc", "0.4", "x 10 9/L", 0.4),
        ("anc", "0.4", "109/L", 0.4),
        ("wbc", "2800", "/mm^3", 2.8),
        ("hba1c", "7.2", "% (NGSP)", 55.19),
        ("hba1c", "55", "mmols/mol", 55),
        ("clozapine_level", "1200", "microg/L", 1.2),
        ("qtc", "510", "ms (Bazett)", 510),
        ("systolic_bp", "185", "mm/Hg", 185),
        ("temperature", "101.5", "F", 38.61),
        ("Na", "121", "mmol/L", 121),
        ("Serum potassium", "2.9", "mmol/L", 2.9),
        ("alanine aminotransferase", "200", "IU/L", 200),
        ("Neutrophils (abs)", "1.2", "10^9/L", 1.2),
        ("WBC count", "2.8", "10^9/L", 2.8),
        ("HR", "130", "bpm", 130),
    ],
)
def test_a_result_is_read_in_the_unit_of_its_test(test, value, unit, number):
    records = read(test, value, unit)
    assert records["results"]["value"].tolist() == pytest.approx([number], abs=0.01)
    assert records.unread_of("anna") == []


def test_a_bound_may_have_its_unit_beside_it():
    (row,) = read("lithium_level", ">3.0 mmol/L")["results"].to_dict("records")
    assert row["comparator"] == ">" and 3.0 < row["value"] < 3.001
    (row,) = read("anc", "< 0.5x10^9/L")["results"].to_dict("records")
    assert row["comparator"] == "<" and 0.499 < row["value"] < 0.5


@pytest.mark.parametrize(
    ("test", "value", "unit"),
    [
        ("lithium_level", "2.1 mmol/L", "mg/L"),  # the two units differ
        ("lithium_level", "2.1 mg/L", None),  # no unit of this test
        ("lithium_level", "0.6-0.8 mmol/L", None),
        ("clozapine_level", "1,200 ug/L", None),  # a thousand, or one
        ("weight", "15 st 3", None),
        ("blood_pressure", "185/112 mmHg", None),
        ("qtc", "510 ms on 3 May", None),
        ("neutrophils %", "12", "%"),
    ],
)
def test_what_could_mean_something_else_is_shown_and_not_read(test, value, unit):
    records = read(test, value, unit)
    assert [row["value"] for row in records["results"].to_dict("records") if row["value"] == row["value"]] == []
    assert records.unread_of("anna")


@pytest.mark.parametrize(
    ("column", "written", "number"),
    [
        ("daily_dose_mg", "1300 mg", 1300),
        ("daily_dose_mg", "1.3g", 1300),
        ("dose_mg", "250 micrograms", 0.25),
        ("days_supplied", "28 days", 28),
        ("days_supplied", "4 weeks", 28),
        ("interval_days", "2 weeks", 14),
        ("quantity", "56 tablets", 56),
        ("daily_dose_mg", "300 ml", None),
        ("days_supplied", "1 month", None),
        ("days_supplied", "28 mg", None),
        ("daily_dose_mg", "1,300 mg", None),  # a thousand, or one
        ("quantity", "5 ml", None),
    ],
)
def test_an_amount_may_have_the_unit_of_its_column_beside_it(column, written, number):
    row = {"patient_id": "anna", "medicine": "clozapine", "supplied_on": "2025-11-01", column: written}
    frames = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "supplies": pd.DataFrame([row])}
    records = Records.from_frames(frames, today=TODAY)
    unread = [one.column for one in records.unread_of("anna")]
    if number is None:
        assert unread == [column]
    else:
        assert unread == [] and records["supplies"][column].tolist() == [pytest.approx(number)]
