"""Records: everything wrong is reported together, rows that fail are set aside and nothing is lost."""

from __future__ import annotations

import datetime as dt
import gc
import json
import weakref

import pandas as pd
import pytest

from features import Records, RecordsError
from tests.tables import TODAY, table

PEOPLE = "patient_id\nanna\nbede"


def load(**tables: str) -> Records:
    frames = {"patients": PEOPLE} | tables
    return Records.from_frames({name: table(text) for name, text in frames.items()}, today=TODAY)


def reasons(records: Records) -> list[tuple[str, int, str, str]]:
    return [(q.table, q.row, q.column, q.reason) for q in records.quarantine.itertuples()]


@pytest.mark.parametrize(
    ("name", "text", "column", "reason"),
    [
        (
            "supplies",
            "patient_id medicine supplied_on\nanna nosuchmedicine 2025-01-01",
            "medicine",
            "not one of the allowed values",
        ),
        (
            "supplies",
            "patient_id medicine supplied_on days_supplied\nanna lithium 2025-01-01 -28",
            "days_supplied",
            "below 0",
        ),
        ("supplies", "patient_id medicine supplied_on\nanna lithium 2026-01-07", "supplied_on", "after tomorrow"),
        (
            "supplies",
            "patient_id medicine supplied_on\nanna lithium 1800-01-01",
            "supplied_on",
            "sentinel dates such as 1800-01-01",
        ),
        ("supplies", "patient_id medicine supplied_on\nanna lithium 31/12/2025", "supplied_on", "write YYYY-MM-DD"),
        (
            "supplies",
            "patient_id medicine supplied_on\nzoe lithium 2025-01-01",
            "patient_id",
            "not in the patients table",
        ),
        ("supplies", "patient_id medicine supplied_on\nanna - 2025-01-01", "medicine", "a required value is missing"),
        (
            "results",
            "patient_id test taken_on value unit\nanna wbc 2025-01-01 6 furlongs",
            "unit",
            "the unit is not known for this test",
        ),
        ("results", "patient_id test taken_on value unit\nanna wbc 2025-01-01 6 -", "unit", "a value without a unit"),
        (
            "results",
            "patient_id test taken_on value unit\nanna lithium_level 2025-01-01 700 mmol/L",
            "value",
            "plausible range",
        ),
        ("results", "patient_id test taken_on\nanna nosuchtest 2025-01-01", "test", "not one of the allowed values"),
        (
            "stays",
            "patient_id admitted_on discharged_on\nanna 2025-01-09 2025-01-02",
            "discharged_on",
            "discharged_on is before admitted_on",
        ),
        (
            "contacts",
            "patient_id contact_id contact_on outcome\nanna c1 2025-01-09 unheard",
            "outcome",
            "not one of the allowed values",
        ),
    ],
)
def test_a_row_that_cannot_be_right_is_set_aside_with_its_reason(name, text, column, reason):
    loaded = load(**{name: text})
    (row,) = reasons(loaded)
    assert row[:3] == (name, 0, column)
    assert reason in row[3]
    assert loaded.report.tables[name].set_aside == 1
    assert len(loaded[name]) == 0
    given = json.loads(loaded.quarantine["values"][0])
    assert given["patient_id"] in ("anna", "zoe"), "the row as given is kept, so that nothing is lost"


def test_the_report_accounts_for_every_row():
    loaded = load(
        supplies="""
        patient_id  medicine  supplied_on  days_supplied  colour
        anna        lithium   2025-01-01   28             red
        anna        lithium   1800-01-01   -27            red
        zoe         lithium   2025-01-01   28             red
        """
    )
    report = loaded.report.tables["supplies"]
    assert (report.read, report.kept, report.set_aside) == (3, 1, 2)
    assert report.unknown_columns == ("colour",)
    assert len(loaded.quarantine) == 3, "both reasons of the second row are told"
    assert "colour" in "\n".join(loaded.report.lines())


def test_the_usual_delay_stands_in_for_a_missing_second_clock_and_is_reported():
    loaded = load(
        results="""
        patient_id  test  taken_on    known_on
        anna        fbc   2025-01-01  2025-01-20
        anna        fbc   2025-02-01  -
        """
    )
    assert loaded["results"]["known_on"].dt.date.tolist() == [dt.date(2025, 1, 20), dt.date(2025, 2, 4)]
    assert loaded.report.tables["results"].delays_applied == {"known_on": {"days": 3, "rows": 1}}


def test_every_problem_of_the_extract_is_told_at_once():
    with pytest.raises(RecordsError) as caught:
        Records.from_frames({"supplies": pd.DataFrame({"patient_id": ["anna"]}), "suplies": pd.DataFrame()})
    assert [(p.table, p.what) for p in caught.value.problems] == [
        ("suplies", "a table that is not known"),
        ("patients", "the table is missing"),
        ("supplies", "required columns missing: medicine, supplied_on"),
    ]


@pytest.mark.parametrize("written", ["Value", "VALUE ", " value"])
def test_a_column_whose_name_is_written_differently_is_refused_and_not_left_out(written):
    """Its values would be lost, and a result without a number would stand for the check."""
    frames = {
        "patients": table("patient_id birth_date\nanna 1980-01-01"),
        "results": table("patient_id test taken_on value\nanna lithium_level 2025-01-01 1.6").rename(
            columns={"value": written}
        ),
    }
    with pytest.raises(RecordsError, match="a column is written differently: value"):
        Records.from_frames(frames, today=TODAY)


def test_a_folder_without_one_of_the_feeds_is_refused(tmp_path):
    load().save(tmp_path / "store")
    (tmp_path / "store" / "results.parquet").unlink()
    with pytest.raises(RecordsError, match=r"results: no results\.csv or results\.parquet in the folder"):
        Records.load(tmp_path / "store")


def test_no_folder_is_a_clear_error(tmp_path):
    with pytest.raises(RecordsError, match="the folder is not there"):
        Records.load(tmp_path / "nowhere")


def test_a_mistyped_birth_date_does_not_lose_the_person():
    loaded = Records.from_frames({"patients": table("patient_id birth_date\nanna 1800-01-01")}, today=TODAY)
    assert loaded.patient_ids.tolist() == ["anna"]
    assert loaded["patients"]["birth_date"].isna().all()
    assert "the value was set aside, the person kept" in loaded.quarantine["reason"][0]


def test_an_id_that_two_people_share_is_a_row_of_each():
    loaded = load(
        contacts="patient_id contact_id contact_on outcome\nanna c1 2025-01-01 attended\nbede c1 2025-02-01 attended"
    )
    assert loaded["contacts"]["patient_id"].tolist() == ["anna", "bede"]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_saved_and_loaded_again_the_records_are_the_same(tmp_path, format):
    loaded = load(
        supplies=(
            "patient_id medicine supplied_on days_supplied as_required\nanna lithium 2025-01-01 28 true\nbede "
            "clozapine 2025-01-02 - -"
        ),
        results="patient_id test taken_on value unit\nanna hba1c 2025-01-01 6.5 %\nanna fbc 2025-01-02 - -",
        stays="patient_id admitted_on discharged_on\nanna 2025-01-09 -",
    )
    loaded.save(tmp_path / "store", format=format)
    again = Records.load(tmp_path / "store", today=TODAY)
    assert again.data_hash == loaded.data_hash
    assert again["results"]["value"].round(1).tolist()[0] == 47.5, "6.5 % is 47.5 mmol/mol"
    assert not len(again.quarantine)


def test_lists_and_frames_give_the_same_records():
    frame = table(
        "patient_id medicine supplied_on days_supplied\nanna lithium 2025-01-01 28\nbede clozapine 2025-01-02 7"
    )
    by_frame = Records.from_frames({"patients": table(PEOPLE), "supplies": frame}, today=TODAY)
    lists = {"patients": {"patient_id": ["anna", "bede"]}, "supplies": {c: frame[c].tolist() for c in frame}}
    assert Records.from_columns(lists, today=TODAY).data_hash == by_frame.data_hash


def test_a_shard_holds_its_people_whole():
    loaded = load(
        supplies=(
            "patient_id medicine supplied_on\nanna lithium 2025-01-01\nbede clozapine 2025-01-02\nbede lithium "
            "2025-01-03"
        )
    )
    shard = loaded.select(["bede"])
    assert shard.patient_ids.tolist() == ["bede"]
    assert shard["supplies"]["medicine"].tolist() == ["clozapine", "lithium"]


def test_no_message_repeats_a_patients_value():
    """Words of a vocabulary are named (a medicine, a unit); numbers, dates and ids never."""
    loaded = load(results="patient_id test taken_on value unit\nanna wbc 1777-07-07 4711 10^9/L\nanna wbc x 0815x g")
    told = "\n".join(loaded.report.lines()) + " ".join(loaded.quarantine["reason"])
    assert not [value for value in ("1777", "4711", "0815", "anna") if value in told]


def test_an_unknown_test_and_an_unknown_unit_are_named_with_how_often():
    loaded = load(
        results="""
        patient_id  test        taken_on    value  unit
        anna        nosuchtest  2025-01-01  1      mg/L
        anna        nosuchtest  2025-01-02  1      mg/L
        anna        wbc         2025-01-03  6      furlongs
        """
    )
    told = "\n".join(loaded.report.lines())
    assert "test not known: nosuchtest (2 rows)" in told
    assert "unit not known: furlongs (1 rows)" in told


SENT_TWICE = """
patient_id medicine   route supplied_on days_supplied daily_dose_mg known_on
anna       olanzapine oral  2025-01-01  28            10            2025-01-09
anna       olanzapine oral  2025-01-01  28            10            2025-01-02
anna       olanzapine oral  2025-01-01  28            15            2025-01-02
anna       olanzapine oral  2025-01-02  28            10            2025-01-02
bede       olanzapine oral  2025-01-01  28            10            2025-01-02
"""


def test_a_supply_sent_twice_is_counted_once_and_the_copy_known_first_stays():
    records = load(supplies=SENT_TWICE)
    assert reasons(records) == [
        ("supplies", 0, "supplied_on", "the same as another row in everything but known_on: sent twice, counted once")
    ]
    assert json.loads(records.quarantine["values"].iloc[0])["known_on"] == "2025-01-09"
    assert records["supplies"]["known_on"].eq("2025-01-02").all() and len(records["supplies"]) == 4


def test_a_supply_sent_twice_covers_no_more_days():
    once = "patient_id medicine route supplied_on days_supplied\nanna olanzapine oral 2025-01-01 28"
    row = "anna olanzapine oral 2025-01-01 28"
    one, two = (load(supplies=text) for text in (once, f"{once}\n{row}"))
    assert two.data_hash == one.data_hash


def test_results_are_one_when_test_day_value_and_unit_are_after_units_are_made_the_same():
    records = load(
        results="""
        patient_id test   taken_on   value unit    known_on
        anna       weight 2025-01-01 80    kg      2025-01-03
        anna       weight 2025-01-01 80000 g       2025-01-02
        anna       weight 2025-01-01 81    kg      2025-01-03
        anna       lipids 2025-01-01 -     -       2025-01-03
        anna       lipids 2025-01-01 -     -       2025-01-03
        """
    )
    assert [row for _, row, column, _ in reasons(records) if column == "taken_on"] == [0, 4]


def test_a_result_known_before_it_was_taken_keeps_its_row_and_takes_the_usual_delay():
    records = load(
        results="""
        patient_id test   taken_on   value unit known_on
        anna       weight 2025-01-05 80    kg   2025-01-03
        anna       weight 2025-01-06 80    kg   2025-01-07
        """
    )
    assert [(row, column) for _, row, column, _ in reasons(records)] == [(0, "known_on")]
    assert records["results"]["known_on"].astype(str).tolist() == ["2025-01-08", "2025-01-07"]


def test_two_contacts_of_one_kind_a_day_and_team_are_one():
    rows = "anna c1 2025-01-01 telephone attended\nanna c2 2025-01-01 telephone attended"
    loaded = load(contacts=f"patient_id contact_id contact_on mode outcome\n{rows}")
    assert len(loaded["contacts"]) == 1 and loaded.report.tables["contacts"].merged == 1


def test_the_raw_extract_is_freed_after_reading():
    """Five million rows as text stand at twice what is kept of them. Rows set aside stay, as they were given."""
    frame = table("patient_id contact_id contact_on outcome\nanna c1 2025-01-10 attended\nanna c2 2025-01-10 unheard")
    given = weakref.ref(frame)
    records = Records.from_frames({"patients": table(PEOPLE), "contacts": frame}, today=TODAY)
    del frame
    gc.collect()
    assert given() is None
    assert json.loads(records.quarantine["values"].iloc[0])["outcome"] == "unheard"
