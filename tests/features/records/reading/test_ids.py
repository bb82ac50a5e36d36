"""Ids: one spelling for one person at every door, and no NHS number behind any of them."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Records, RecordsError
from features.records.reading.ids import clean_id, clean_ids
from features.records.reading.nhs_numbers import NhsKey
from tests.tables import TODAY, table

NUMBER = "9434765919"
"""From the range of test numbers."""

SPELLINGS = [
    ("p1", "p1"),
    (" p1", "p1"),
    ("p1 ", "p1"),
    ("p1\u00a0", "p1"),
    ("\u2009p1\u202f", "p1"),
    ("p\u200b1", "p1"),
    ("\ufeffp1", "p1"),
    ("p1\x00", "p1"),
    ("p\u00ad1", "p1"),
    ("ｐ１", "p1"),
    ("p１", "p1"),
    ("p\u0661", "p1"),
    ("12345.0", "12345"),
    ("00123", "00123"),
    ("p  1", "p 1"),
    ("p\u00a01", "p 1"),
    ("9.43477E+09", ""),
    ("9E+09", ""),
    ("9.434765919E9", ""),
    ("'p1", "p1"),
    ("'p1'", "p1"),
    ('="p1"', "p1"),
    ('"p1 "', "p1"),
    ("o'neil-1", "o'neil-1"),
    ("'", ""),
    (" \u200b ", ""),
    ("1e10ab", "1e10ab"),
    ("v1.0", "v1.0"),
    ("Łódź-3", "Łódź-3"),
]


@pytest.mark.parametrize(("given", "one"), SPELLINGS)
def test_an_id_has_one_spelling(given, one):
    assert clean_id(given) == one
    assert clean_ids(pa.array([given, "x"])).to_pylist() == [one or None, "x"]


@given(st.text(max_size=12))
def test_cleaning_twice_changes_nothing(text):
    assert clean_id(clean_id(text)) == clean_id(text)


@pytest.mark.parametrize("spelled", [given for given, one in SPELLINGS if one == "p1"])
def test_rows_of_every_spelling_meet_their_person(spelled):
    frames = {
        "patients": pd.DataFrame({"patient_id": ["p1", "p2"]}),
        "supplies": pd.DataFrame({"patient_id": [spelled], "medicine": ["lithium"], "supplied_on": ["2025-01-01"]}),
    }
    columns = {name: {c: frame[c].tolist() for c in frame} for name, frame in frames.items()}
    for loaded in (Records.from_frames(frames, today=TODAY), Records.from_columns(columns, today=TODAY)):
        assert loaded["supplies"]["patient_id"].tolist() == ["p1"]


def test_a_float_column_of_ids_meets_the_same_ids_as_text():
    frames = {
        "patients": pd.DataFrame({"patient_id": ["41", "42"]}),
        "supplies": pd.DataFrame(
            {"patient_id": [41.0, None], "medicine": ["lithium"] * 2, "supplied_on": ["2025-01-01"] * 2}
        ),
    }
    assert Records.from_frames(frames, today=TODAY)["supplies"]["patient_id"].tolist() == ["41"]


def test_ids_that_say_null_are_set_aside():
    loaded = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["p1", "NULL", "nan"]})}, today=TODAY)
    assert loaded.patient_ids.tolist() == ["p1"]


def test_two_people_whose_ids_differ_by_a_space_are_refused():
    people = pd.DataFrame({"patient_id": ["p1", "p1 "], "birth_date": ["1980-05-17", "1999-01-02"]})
    with pytest.raises(RecordsError, match="differ only by spaces"):
        Records.from_frames({"patients": people}, today=TODAY)


@pytest.mark.parametrize(
    "spelled",
    [
        NUMBER,
        "943 476 5919",
        "9434 765 919",
        "943.476.5919",
        "943\u00a0476\u00a05919",
        f"{NUMBER}.0",
        f"NHS:{NUMBER}",
        f"{NUMBER}\u200b",
        "９４３４７６５９１９",
        "943-476-5919",
        f"nhs number: {NUMBER}",
        f" {NUMBER} ",
        f"{NUMBER}A",
        "943 476 5919b",
        f"NHS{NUMBER}xy",
        f"#{NUMBER}",
        f"{NUMBER}*",
        f"({NUMBER})",
    ],
)
def test_nhs_numbers_are_refused_in_any_table_and_never_repeated(spelled):
    for frames in (
        {"patients": pd.DataFrame({"patient_id": [spelled]})},
        {
            "patients": table("patient_id\nanna"),
            "results": pd.DataFrame({"patient_id": [spelled], "test": ["fbc"], "taken_on": ["2025-01-01"]}),
        },
    ):
        with pytest.raises(RecordsError, match="are NHS numbers") as refused:
            Records.from_frames(frames, today=TODAY)
        assert NUMBER not in str(refused.value)


@pytest.mark.parametrize("ids", [[float(NUMBER), None], ["NHS 943 476 5919", None], ["9434 765 919", None]])
def test_with_a_key_they_become_pseudonyms_in_files_too(tmp_path, ids):
    Records.from_frames({"patients": table("patient_id\nanna")}, today=TODAY).save(tmp_path / "store")
    (tmp_path / "store" / "about.json").unlink()  # a folder of files, as a trust sends them
    pd.DataFrame({"patient_id": ids}).to_parquet(tmp_path / "store" / "patients.parquet")
    key = NhsKey("k1", b"k" * 32)
    loaded = Records.load(tmp_path / "store", today=TODAY, nhs_key=key)
    assert loaded.patient_ids.tolist() == [key.pseudonym(NUMBER)]
    with pytest.raises(RecordsError, match="NHS numbers"):
        Records.load(tmp_path / "store", today=TODAY)


@pytest.mark.parametrize("followed", [f"{NUMBER}A", "943 476 5919b", f"#{NUMBER}"])
def test_an_nhs_number_followed_by_letters_is_set_aside(tmp_path, followed):
    """It may mean a second person, so its rows are set aside rather than given to the first."""
    Records.from_frames({"patients": table("patient_id\nanna")}, today=TODAY).save(tmp_path / "store")
    (tmp_path / "store" / "about.json").unlink()
    pd.DataFrame({"patient_id": [NUMBER, followed]}).to_parquet(tmp_path / "store" / "patients.parquet")
    key = NhsKey("k1", b"k" * 32)
    loaded = Records.load(tmp_path / "store", today=TODAY, nhs_key=key)
    assert loaded.patient_ids.tolist() == [key.pseudonym(NUMBER)]
    assert loaded.report.tables["patients"].set_aside == 1
    assert NUMBER not in loaded.quarantine.to_csv()


@pytest.mark.parametrize("local", [f"A{NUMBER}", f"{NUMBER}ABCD", "9434765918A", f"{NUMBER}A1"])
def test_a_local_id_that_only_resembles_one_is_kept(local):
    assert Records.from_frames({"patients": table(f"patient_id\n{local}")}, today=TODAY).patient_ids.tolist() == [local]


def test_the_quarantine_holds_no_nhs_number():
    contacts = pd.DataFrame(
        {
            "patient_id": ["anna", "9434765918"],  # the second fails its check, and is nobody
            "contact_id": [NUMBER, "c2"],
            "contact_on": ["not a day, see 943 476 5919", "2025-01-01"],
            "outcome": ["attended"] * 2,
        }
    )
    loaded = Records.from_frames({"patients": table("patient_id\nanna"), "contacts": contacts}, today=TODAY)
    told = loaded.quarantine.to_csv()
    assert len(loaded.quarantine) == 2
    assert not any(number in told for number in (NUMBER, "943 476 5919", "9434765918"))
