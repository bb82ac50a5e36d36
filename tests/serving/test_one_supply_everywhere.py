"""One supply, recorded in three rows, is one supply for features, gaps, schedules, reasons, the picture of the year and
the coverage of a record."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import CATALOGUE, Records, build
from features.engine.provenance import SourceRows
from features.gaps import find_gaps, people
from features.records.days import day_of
from serving.nightly.rows.timeline import timelines
from serving.scoring.record_coverage import History
from tests.features.engine.test_provenance import found_behind

AS_OF = dt.date(2026, 1, 5)
OPTIONS = {"clozapine": {"daily_dose_mg": 300.0}, "lorazepam": {"daily_dose_mg": 2.0, "as_required": True}}


def rows(medicine: str, *kinds: str) -> list[dict]:
    """Every 28 days a supply of 28 days: written, handed over the same day, and (where it is) given, the last 50 days
    ago."""
    days = [AS_OF - dt.timedelta(days=50 + 28 * n) for n in range(12)]
    one = {"patient_id": "A", "medicine": medicine, "route": "oral", "days_supplied": 28.0} | OPTIONS[medicine]
    return [one | {"kind": kind, "supplied_on": day, "known_on": day} for day in days for kind in kinds]


def records(*kinds: str) -> Records:
    told = [row for medicine in OPTIONS for row in rows(medicine, *kinds)]
    return Records.from_frames({"patients": pd.DataFrame({"patient_id": ["A"]}), "supplies": pd.DataFrame(told)})


ONE, THREE = records("administered"), records("prescribed", "dispensed", "administered")
SPINE = pd.DataFrame({"patient_id": ["A"], "as_of": [AS_OF]})


def test_each_supply_is_given_as_three_rows():
    assert (len(ONE["supplies"]), len(THREE["supplies"])) == (24, 72)


def test_every_feature_is_the_same():
    one, three = (build(r, SPINE).to_pandas() for r in (ONE, THREE))
    names = [f.name for f in CATALOGUE]
    differ = [name for name in names if not np.array_equal(one[name], three[name], equal_nan=True)]
    assert differ == []


def test_every_gap_is_the_same_but_for_the_places_of_its_rows():
    def told(records: Records) -> list:
        found = find_gaps(records, AS_OF)
        said = [[(row["on"], row["what"]) for row in rows] for rows in found["evidence"]]
        return [*found.drop(columns="evidence").astype("str").to_numpy().tolist(), said]

    assert told(ONE) == told(THREE)


def test_every_check_is_due_on_the_same_day():
    (one,), (three,) = (list(people(r, np.array([0]), day_of(AS_OF))) for r in (ONE, THREE))
    assert one.due == three.due and one.due


@pytest.mark.parametrize("part", ["medicines", "events"])
def test_the_picture_of_the_year_is_the_same(part):
    (one,), (three,) = (timelines(r, AS_OF, ["A"]) for r in (ONE, THREE))
    assert one[part] == three[part] and one[part]


def test_the_rows_behind_a_reason_are_the_same():
    def behind(records: Records) -> list:
        features = [f for f in CATALOGUE if f.table == "supplies"]
        source = SourceRows(records, day_of(AS_OF), features)
        return [(row.on, row.what) for row in source.described(found_behind(source, list(range(len(features)))))]

    assert behind(ONE) == behind(THREE) and behind(ONE)


def test_the_age_of_the_source_is_the_same():
    one, three = (History(r, day_of(AS_OF)) for r in (ONE, THREE))
    assert one.sources(0, day_of(AS_OF)) == three.sources(0, day_of(AS_OF))
