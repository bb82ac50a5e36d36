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
        ("days_supplied", "4/52", 28),
        ("days_supplied", "28/7", 28),
        ("days_supplied", "14d", 14),
        ("days_supplied", "2 wks", 14),
        ("days_supplied", "one week", 7),
        ("days_supplied", "2/12", None),
        ("days_supplied", "2-4 weeks", None),
        ("days_supplied", "2 weekly", None),  # so much at a time, or so often
        ("interval_days", "4/52", 28),
        ("interval_days", "2 weekly", 14),
        ("interval_days", "4-weekly", 28),
        ("interval_days", "every 3 weeks", 21),
        ("interval_days", "Fortnightly", 14),
        ("interval_days", "monthly", None),
        ("interval_days", "2-3 weekly", None),
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


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("185/112", "mmHg"),
        ("185 / 112 mmHg", None),
        ("185/112", None),
        ("BP 185/112", "mm[Hg]"),
        ("Blood pressure: 185/112", None),
        ("185 over 112", None),
        ("185/112 H", "mmHg"),
    ],
)
def test_a_blood_pressure_in_one_value_is_two_results_of_its_day(value, unit):
    records = read("BP", value, unit)
    told = records["results"][["test", "value", "unit"]].to_numpy(object).tolist()
    assert told == [["systolic_bp", 185.0, "mmHg"], ["diastolic_bp", 112.0, "mmHg"]]
    assert records.unread_of("anna") == []
    report = records.report.tables["results"]
    assert (report.read, report.kept, report.set_aside) == (1, 1, 0)


@pytest.mark.parametrize(
    ("test", "value", "unit"),
    [
        ("blood_pressure", "112/185", None),
        ("blood_pressure", "7/7", None),
        ("blood_pressure", "185/112 kPa", None),
        ("blood_pressure", "185/112 lying", None),
        ("blood_pressure", "185/112", "bpm"),
        ("blood_pressure", "185-112", "mmHg"),
        ("blood_pressure", "185/112/90", "mmHg"),
        ("blood_pressure", "pulse 185/112", "mmHg"),
        ("blood_pressure", "raised", None),
        ("blood_pressure", "185", "mmHg"),  # which of the two?
        ("systolic_bp", "120/80", "mmHg"),
        ("weight", "120/80", "kg"),
        ("constipation_check", "7/7", None),
        ("fbc", "0.4", "10^9/L"),
        ("fbc", "0.4", None),
        ("ecg_qtc", "72", "bpm"),
    ],
)
def test_a_value_that_is_no_pair_of_its_check_is_shown_and_not_read(test, value, unit):
    records = read(test, value, unit)
    assert records["results"]["value"].notna().sum() == 0
    assert [(one.concept, one.column, one.value) for one in records.unread_of("anna")] == [(test, "value", value)]


def test_two_pressures_of_one_day_are_kept_apart_and_one_sent_twice_is_one():
    row = {"patient_id": "anna", "test": "blood_pressure", "taken_on": "2025-11-01", "unit": "mmHg"}
    rows = [row | {"value": value} for value in ("185/112", "185/112 mmHg", "185/90")]
    frames = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "results": pd.DataFrame(rows)}
    results = Records.from_frames(frames, today=TODAY)["results"]
    assert sorted(results[results["test"] == "diastolic_bp"]["value"]) == [90, 112]
    assert results[results["test"] == "systolic_bp"]["value"].tolist() == [185, 185]


@pytest.mark.parametrize(
    ("test", "value", "unit", "part", "number"),
    [
        ("ecg_qtc", 520, "ms", "qtc", 520),
        ("ecg_qtc", "520 msec", None, "qtc", 520),
        ("weight_bmi", 82, "kg", "weight", 82),
        ("weight_bmi", 31, "kg/m2", "bmi", 31),
    ],
)
def test_a_number_beside_a_check_is_that_of_the_part_with_its_unit(test, value, unit, part, number):
    records = read(test, value, unit)
    assert records["results"][["test", "value"]].to_numpy(object).tolist() == [[part, number]]


@pytest.mark.parametrize(
    ("value", "unit", "sign", "number"),
    [
        ("H 2.1", "mmol/L", None, 2.1),
        ("*2.1", "mmol/L", None, None),
        ("2.1 mmol/L H", None, None, 2.1),
        ("2.1 H mmol/L", "mmol/L", None, 2.1),
        ("2.1 (HH) mmol/L", None, None, 2.1),
        ("> = 2.0", "mmol/L", ">=", 2.0),
        ("<0.2 mmol/L *", None, "<", 0.2),
        ("L <0.2", "mmol/L", "<", 0.2),
        ("2.1 mmol/L (0.4-1.0)", None, None, None),
        ("2.1 repeat", "mmol/L", None, None),
        ("\u22122.1", "mmol/L", None, None),
        ("\u00b12.1", "mmol/L", None, None),
        ("2\u00bd", "mmol/L", None, None),
        ("below detection", "mmol/L", None, None),
    ],
)
def test_the_mark_of_a_laboratory_may_stand_on_either_side_of_number_and_unit(value, unit, sign, number):
    records = read("lithium_level", value, unit)
    if number is None:
        assert len(records["results"]) == 0 and records.unread_of("anna")
        return
    (row,) = records["results"].to_dict("records")
    assert row["value"] == pytest.approx(number, abs=1e-6)
    assert (row["comparator"] if isinstance(row["comparator"], str) else None) == sign


@pytest.mark.parametrize(
    ("test", "value", "number"),
    [
        ("pregnancy test", "Positive", 1),
        ("pregnancy_status", "not pregnant", 0),
        ("Urine pregnancy test", "NEGATIVE", 0),
        ("pregnancy_status", "1", 1),
        ("fbc", "1", 1),  # a mark that it was done
        ("pregnancy_status", "equivocal", None),
    ],
)
def test_what_a_check_found_in_words(test, value, number):
    records = read(test, value)
    assert records["results"]["value"].tolist() == ([] if number is None else [number])
    assert [one.value for one in records.unread_of("anna")] == ([value] if number is None else [])
