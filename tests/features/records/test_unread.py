"""What was not understood stays with the person: never "no", never a change, never "not recorded"."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records
from features.records.unmapped import unknown_medicines
from features.sharded.partition import partition
from tests.tables import TODAY


def load(**tables: list[dict[str, object]]) -> Records:
    frames = {name: pd.DataFrame(rows, dtype="object").assign(patient_id="anna") for name, rows in tables.items()}
    return Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna", "bede"]})} | frames, today=TODAY)


def circumstance(kind: str, value: str) -> Records:
    return load(circumstances=[{"kind": kind, "value": value, "from_on": "2025-01-01"}])


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        ("smoking", "Current smoker", "smoker"),
        ("smoking", "current_smoker", "smoker"),
        ("Smoking status", " Y ", "smoker"),
        ("smoking", "Ex-Smoker", "ex_smoker"),
        ("smoking", "Never smoked tobacco.", "never_smoked"),
        ("smoking", "Non\u00a0smoker", "non_smoker"),
        ("benign_ethnic_neutropenia", "Y", "yes"),
        ("BEN", "Confirmed", "yes"),
        ("childbearing potential", "FALSE", "no"),
        ("interpreter", "Needs interpreter", "required"),
        ("interpreter", "N", "not_required"),
        ("housing", "No Fixed Abode", "rough_sleeping"),
        ("living_alone", "Lives with family", "no"),
        ("clozapine_service", "ZTAS", "ztas"),
        ("infection", "pneumonia", "pneumonia"),
        ("language", "Somali", "Somali"),
    ],
)
def test_words_are_read_through_one_table(kind, value, meant):
    found = circumstance(kind, value)
    assert found["circumstances"]["value"].tolist() == [meant]
    assert not len(found.unread)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("smoking", "20 a day?"),
        ("smoking", "see notes"),
        ("smoking", "Unknown"),
        ("smoking", "not recorded"),
        ("benign_ethnic_neutropenia", "awaited"),
        ("childbearing_potential", "discuss"),
        ("interpreter", "sometimes"),
        ("housing", "flat 3"),
    ],
)
def test_a_word_that_is_not_understood_is_kept_with_the_person_and_is_no_answer(kind, value):
    found = circumstance(kind, value)
    assert not len(found["circumstances"])
    (unread,) = found.unread_of("anna")
    assert (unread.table, unread.column, unread.concept, unread.value) == ("circumstances", "value", kind, value)
    assert unread.on == dt.date(2025, 1, 1) and unread.known_on == dt.date(2025, 1, 8)
    assert found.unread_of("bede") == [] and found.unread_of("nobody") == []
    assert any(f"value not understood: {kind} {value}" in line for line in found.report.lines())


@pytest.mark.parametrize(
    ("value", "unit", "comparator", "kept"),
    [
        ("<0.5", "10^9/L", "<", 0.5),
        ("< 0,5", "x10*9/L", "<", 0.5),
        ("\u2264 0.5", "10\u2079/L", "<=", 0.5),
        ("> 3.0", "10*3/uL", ">", 3.0),
        ("<500", "cells/mm3", "<", 0.5),
        ("less than 400", "/\u03bcL", "<", 0.4),
        ("0,4", "K/\u00b5L", None, 0.4),
        ("400", "cells/uL", None, 0.4),
    ],
)
def test_a_bound_is_kept_with_its_comparator_in_any_spelling_of_the_unit(value, unit, comparator, kept):
    found = load(results=[{"test": "anc", "taken_on": "2025-01-01", "value": value, "unit": unit}])
    (row,) = found["results"].to_dict("records")
    assert row["value"] == pytest.approx(kept)
    assert (row["comparator"] if isinstance(row["comparator"], str) else None) == comparator
    assert row["value"] < kept if comparator == "<" else row["value"] > kept if comparator == ">" else True


@pytest.mark.parametrize("value", ["1,200", "haemolysed", "0.4?", "++", "1_000", "<", "< low"])
def test_a_number_that_could_be_two_or_none_is_not_guessed_at(value):
    found = load(results=[{"test": "clozapine_level", "taken_on": "2025-01-01", "value": value, "unit": "ug/L"}])
    assert not len(found["results"])
    assert [(u.concept, u.value) for u in found.unread_of("anna")] == [("clozapine_level", value)]


@pytest.mark.parametrize(
    ("text", "number"), [("1,200.5", 1200.5), ("1.200,5", 1200.5), ("1 200", 1200), ("12,5", 12.5)]
)
def test_grouped_digits_that_can_only_mean_one_number_are_read(text, number):
    found = load(results=[{"test": "ck", "taken_on": "2025-01-01", "value": text, "unit": "IU/L"}])
    assert found["results"]["value"].tolist() == [number]


@pytest.mark.parametrize(
    ("row", "concept"),
    [
        ({"test": "lithium_level", "value": "700", "unit": "mmol/L"}, "lithium_level"),
        ({"test": "anc", "value": "0.4", "unit": "furlongs"}, "anc"),
        ({"test": "ANC (manual)", "value": "0.4", "unit": "10^9/L"}, "ANC (manual)"),
        ({"test": "anc", "value": "0.4", "unit": None}, "anc"),
    ],
)
def test_a_result_set_aside_is_never_not_recorded(row, concept):
    found = load(results=[{"taken_on": "2025-01-01", **row}])
    assert [u.concept for u in found.unread_of("anna")] == [concept]


@pytest.mark.parametrize(
    "end", ["9999-12-31", "NULL", "2099-12-31", "1900-01-01", "1800-01-01", "n/a", "-", "30/06/2025"]
)
def test_an_optional_end_that_is_no_date_leaves_the_referral_open(end):
    found = load(referrals=[{"referral_id": "r1", "team_id": "T1", "opened_on": "2023-01-10", "closed_on": end}])
    assert found["referrals"]["closed_on"].isna().tolist() == [True]
    assert found.rows_set_aside == (1 if end == "30/06/2025" else 0)


def test_a_closure_before_its_opening_leaves_the_person_on_the_list():
    row = {"referral_id": "r1", "team_id": "T1", "opened_on": "2023-01-10", "closed_on": "2022-01-10"}
    found = load(referrals=[row])
    assert found["referrals"]["closed_on"].isna().tolist() == [True]
    assert [u.column for u in found.unread_of("anna")] == ["closed_on"]


def test_an_attended_contact_without_a_mode_is_a_contact_and_the_default_is_counted():
    one, other = ("c1", "2025-01-01", "attended"), ("c2", "2025-01-02", "DNA")
    rows = [dict(zip(("contact_id", "contact_on", "outcome"), each, strict=True)) for each in (one, other)]
    found = load(contacts=rows)
    assert found["contacts"]["mode"].fillna("").tolist() == ["not_recorded", ""]
    assert found.report.tables["contacts"].defaults == {"mode": {"value": "not_recorded", "rows": 1}}


@pytest.mark.parametrize(
    ("name", "medicine"),
    [
        ("Clozaril", "clozapine"),
        ("PRIADEL 400mg modified-release tablets", "lithium"),
        ("Xeplion", "paliperidone palmitate 1-monthly injection"),
        ("Clozapine 100mg tablets", "clozapine"),
        ("sodium valproate", "valproate"),
        ("Haloperidol decanoate 50mg/1ml solution for injection ampoules", "haloperidol decanoate injection"),
        ("Solifenacin 5mg tablets", "solifenacin"),
        ("Ozempic", "semaglutide"),
        ("sodium picosulfate", "sodium picosulfate"),
    ],
)
def test_brands_and_products_are_the_medicine_they_hold(name, medicine):
    found = load(supplies=[{"medicine": name, "supplied_on": "2025-01-01"}])
    assert found["supplies"]["medicine"].tolist() == [medicine]


@pytest.mark.parametrize(
    "name",
    ["newmab", "paliperidone palmitate", "Olanzapine 210mg powder and solvent for injection", "clozapine/lithium"],
)
def test_a_medicine_that_no_table_knows_stays_on_the_person_by_name(name):
    found = load(supplies=[{"medicine": name, "supplied_on": "2025-01-01", "days_supplied": "28"}])
    assert [(u.table, u.value) for u in found.unread_of("anna")] == [("supplies", name)]
    assert unknown_medicines(found) == {"anna": 1}
    assert any(f"medicine not understood: {name} (1 rows)" in line for line in found.report.lines())


def test_what_was_set_aside_is_remembered_by_every_later_run(tmp_path):
    found = load(results=[{"test": "anc", "taken_on": "2025-01-01", "value": "haemolysed", "unit": "10^9/L"}])
    for _ in range(3):
        found.save(tmp_path / "store")
        found = Records.load(tmp_path / "store", today=TODAY)
        assert found.rows_set_aside == 1 and len(found.quarantine) == 1
        assert [u.value for u in found.unread_of("anna")] == ["haemolysed"]
    assert [len(part.unread) for part in (found.select(["anna"]), found.select(["bede"]), found.between(0, 1))] == [
        1,
        0,
        1,
    ]
    assert found.unread_of("anna", as_of=dt.date(2025, 1, 3)) == []
    assert list(found.unread.to_pandas(found.patient_ids)["patient_id"]) == ["anna"]


def test_shards_keep_what_was_not_understood_of_their_people(tmp_path):
    found = load(results=[{"test": "anc", "taken_on": "2025-01-01", "value": "haemolysed", "unit": "10^9/L"}])
    parts = partition(found.save(tmp_path / "store"), tmp_path / "parts", shards=3)
    shards = [Records.load(folder, today=TODAY) for folder in sorted(parts.glob("0*"))]
    assert sorted(len(shard.unread_of("anna")) for shard in shards) == [0, 0, 1]
