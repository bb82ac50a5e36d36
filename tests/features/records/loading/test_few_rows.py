"""A few rows are read in plain lists, and one id as one value: both read as many rows, and as many ids, are read."""

from __future__ import annotations

import datetime as dt

import pytest

from features.records import Records, RecordsError
from features.records import coded_words as coding
from features.records import table as tables
from features.records.loading import checks, columns
from features.records.reading.given import OneValue
from features.records.same_event import versions

TODAY = dt.date(2025, 7, 1)
NHS_NUMBER = "9434765919"


def person(ids: object, rows: int = 6) -> dict:
    """One person's rows, with ties, a row sent twice, words that are not understood, and empty texts."""
    day = ["2025-01-05", "2025-01-05", "2025-01-05", "2025-02-01", "2025-02-01", "2025-03-01"]
    return {
        "patients": {"patient_id": one(ids, 1), "birth_date": ["1980-05-01"]},
        "contacts": {
            "patient_id": one(ids, rows),
            "contact_id": ["c3", "c1", "c2", "c4", "c4", "c5"],
            "team_id": ["T1", None, "T1", "T2", "T2", None],
            "contact_on": day,
            "known_on": day,
            "outcome": ["attended", "attended", "did_not_attend", "planned", "attended", "attended"],
        },
        "results": {
            "patient_id": one(ids, rows),
            "test": ["weight", "weight", "anc", "weight", "weight", "weight"],
            "taken_on": day,
            "known_on": day,
            "value": [80.0, 79.0, 3.0, 80.0, 80.0, None],
            "unit": ["kg", "kg", "10*9/L", "kg", "kg", None],
        },
        "circumstances": {
            "patient_id": one(ids, rows),
            "kind": ["smoking", "housing", "housing", "smoking", "pets", None],
            "value": ["10 a day", "unheard of", "homeless", "smoker", "a dog", "yes"],
            "from_on": day,
            "known_on": day,
        },
    }


def one(ids: object, rows: int) -> object:
    return [ids] * rows if not isinstance(ids, OneValue) else OneValue(ids.value, rows)


def read(given: dict) -> tuple:
    """What a load says, or why it refuses."""
    try:
        records = Records.from_columns(given, today=TODAY)
    except RecordsError as error:
        return (str(error),)
    return records.data_hash, records.set_aside, records.unread.rows(), records.report.as_dict()


@pytest.mark.parametrize("name", ["P1", " P1 ", NHS_NUMBER, "patient_id", "null", "", None])
def test_one_id_as_one_value_reads_as_the_same_id_in_every_row(name):
    assert read(person(OneValue(name, 0))) == read(person(name))


def test_a_list_reads_as_arrays_do(monkeypatch):
    few = read(person("P1"))
    assert len(few) == 4 and few[1], "something is set aside"
    for module, limit in ((checks, "_FEW"), (versions, "_FEW"), (tables, "FEW"), (columns, "FEW"), (coding, "FEW")):
        monkeypatch.setattr(module, limit, -1)
    assert read(person("P1")) == few


def test_one_value_is_a_sequence():
    ids = OneValue("P1", 3)
    assert list(ids) == ["P1"] * 3 and ids[-1] == "P1" and list(ids[1:]) == ["P1"] * 2
    with pytest.raises(IndexError):
        ids[3]
