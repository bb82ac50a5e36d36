"""Dates: one reader for every door. Times with an offset are days in London; what could mean two days is no date."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records
from features.records import date_of
from features.records.reading.dates import read_day
from tests.tables import TODAY, table

LONDON_DAYS = [
    ("2025-07-15", "2025-07-15"),
    ("2025-07-15T00:00:00+01:00", "2025-07-15"),
    ("2025-07-14T23:00:00.000Z", "2025-07-15"),
    ("2025-07-14T22:59:59Z", "2025-07-14"),
    ("2025-07-14 23:00:00+00:00", "2025-07-15"),
    ("2025-07-14 23:00:00 UTC", "2025-07-15"),
    ("2025-07-14T23:00:00.1234567Z", "2025-07-15"),
    ("2025-07-15T00:00+01:00[Europe/London]", "2025-07-15"),
    ("2025-07-14T23:30:00", "2025-07-14"),
    ("2025-12-01T00:00:00Z", "2025-12-01"),
    ("2025-11-30T23:30:00Z", "2025-11-30"),
    ("2024-02-29T23:30:00Z", "2024-02-29"),
    ("2024-02-29T23:30:00-05:00", "2024-03-01"),
    ("2025-03-30T00:30:00Z", "2025-03-30"),
    ("2025-03-30T23:30:00Z", "2025-03-31"),
    ("2025-10-25T23:30:00Z", "2025-10-26"),
    ("2025-10-26T23:30:00Z", "2025-10-26"),
    ("20250715", "2025-07-15"),
    ("2025/07/15", "2025-07-15"),
    ("2025-7-5", "2025-07-05"),
    ("15-JUL-2025", "2025-07-15"),
    ("15 July 2025", "2025-07-15"),
    ("２０２５-０７-１５", "2025-07-15"),
    ("2025-07-15\u00a0", "2025-07-15"),
    ("9999-12-31", "9999-12-31"),
]


@pytest.mark.parametrize(("text", "day"), LONDON_DAYS)
def test_a_day_is_the_day_in_london(text, day):
    assert date_of(read_day(text).day) == dt.date.fromisoformat(day)


@pytest.mark.parametrize("nothing", [None, "", " ", "NULL", "null", "N/A", "nan", r"\N", float("nan"), pd.NaT, "-"])
def test_nothing_given_is_missing(nothing):
    assert date_of(read_day(nothing).day) is None


@pytest.mark.parametrize(
    "text",
    [
        "03/04/2025",
        "25/11/2025",
        "11/25/2025",
        "25-11-25",
        "1/2/25",
        "45987",
        "2025-02-30",
        "2025-13-01",
        "0000-00-00",
        "soon",
        "15-JUL-25",
        "2025-07-15T25:00:00Z",
        "99999999",
        "10000-01-01",
        "2025",
        True,
        45987,
        45987.5,
    ],
)
def test_what_could_mean_two_days_or_none_is_no_date(text):
    assert read_day(text).day is None


@pytest.mark.parametrize("value", [20250715, 20250715.0, dt.date(2025, 7, 15), dt.datetime(2025, 7, 15, 9)])
def test_numeric_and_typed_dates_are_read(value):
    assert date_of(read_day(value).day) == dt.date(2025, 7, 15)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York"])
def test_parquet_timestamps_with_a_zone_are_days_in_london_and_counted(tmp_path, unit, zone):
    when = pd.to_datetime(["2025-06-02", "2025-12-01", "2025-10-26"]).tz_localize("Europe/London").tz_convert(zone)
    frame = pd.DataFrame({"patient_id": "anna", "medicine": "lithium", "supplied_on": when.as_unit(unit)})
    Records.from_frames({"patients": table("patient_id\nanna")}, today=TODAY).save(tmp_path / "store")
    (tmp_path / "store" / "about.json").unlink()  # a folder of files, as a trust sends them
    frame.to_parquet(tmp_path / "store" / "supplies.parquet")
    loaded = Records.load(tmp_path / "store", today=TODAY)
    assert loaded["supplies"]["supplied_on"].astype(str).tolist() == ["2025-06-02", "2025-10-26", "2025-12-01"]
    assert any("3 times with an offset" in line for line in loaded.report.lines())


def test_every_source_reads_the_same_day():
    texts = [text for text, _ in LONDON_DAYS if text != "9999-12-31"]
    days = sorted(day for text, day in LONDON_DAYS if text != "9999-12-31")
    people = {"patient_id": ["anna"]}
    results = {"patient_id": ["anna"] * len(texts), "test": ["fbc"] * len(texts), "taken_on": texts}
    results["known_on"] = ["2026-01-01"] * len(texts)
    results["value"] = [None] * len(texts)
    frames = {"patients": pd.DataFrame(people), "results": pd.DataFrame(results)}
    for loaded in (
        Records.from_frames(frames, today=TODAY),
        Records.from_columns({"patients": people, "results": results}, today=TODAY),
    ):
        assert sorted(set(loaded["results"]["taken_on"].astype(str))) == sorted(set(days))
