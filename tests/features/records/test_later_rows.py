"""What became known after a day changes neither a feature nor a gap of that day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import Records, build, find_gaps
from tests.tables import TODAY

Row = dict[str, object]
SEEN: Row = {"contact_id": "c1", "outcome": "attended", "team_id": "T1", "mode": "face_to_face", "kind": "routine"}
STAY: Row = {"admitted_on": "2025-01-01", "method": "emergency", "ward": "acute"}
OPEN: Row = {"referral_id": "r1", "team_id": "T1", "opened_on": "2024-01-01"}
DOSE: Row = {"medicine": "clozapine", "supplied_on": "2025-01-02", "days_supplied": 28, "kind": "dispensed"}
CASES = {
    "a later overlapping stay": (
        "stays",
        STAY | {"discharged_on": "2025-01-09", "discharge_known_on": "2025-01-10", "known_on": "2025-01-02"},
        STAY
        | {"admitted_on": "2025-01-05", "discharged_on": "2025-01-20", "discharge_known_on": "2025-01-21"}
        | {"known_on": "2025-01-21"},
    ),
    "a second strength": (
        "supplies",
        DOSE | {"daily_dose_mg": 300, "known_on": "2025-01-03"},
        DOSE | {"daily_dose_mg": 25, "known_on": "2025-01-20"},
    ),
    "the other half of a blood count": (
        "results",
        {"test": "anc", "taken_on": "2025-01-05", "value": 4.0, "unit": "10^9/L", "known_on": "2025-01-06"},
        {"test": "wbc", "taken_on": "2025-01-05", "value": 6.0, "unit": "10^9/L", "known_on": "2025-01-20"},
    ),
    "a corrected discharge": (
        "stays",
        STAY | {"discharged_on": "2025-01-09", "discharge_known_on": "2025-01-10", "known_on": "2025-01-10"},
        STAY | {"discharged_on": "2025-01-12", "discharge_known_on": "2025-01-20", "known_on": "2025-01-20"},
    ),
    "a moved contact day": (
        "contacts",
        SEEN | {"contact_on": "2025-01-05", "known_on": "2025-01-06"},
        SEEN | {"contact_on": "2025-01-08", "known_on": "2025-01-20"},
    ),
    "a corrected kind": (
        "contacts",
        SEEN | {"contact_on": "2025-01-05", "known_on": "2025-01-06"},
        SEEN | {"contact_on": "2025-01-05", "kind": "medicines_review", "known_on": "2025-01-20"},
    ),
    "a reopened referral": (
        "referrals",
        OPEN | {"closed_on": "2025-01-08", "known_on": "2025-01-09"},
        OPEN | {"known_on": "2025-01-20"},
    ),
}


def load(table: str, rows: list[Row]) -> Records:
    long = {"medicine": "clozapine", "supplied_on": "2024-06-02", "days_supplied": 400, "known_on": "2024-06-03"}
    given = {"supplies": [long]} | {table: rows if table != "supplies" else [long, *rows]}
    frames = {name: pd.DataFrame(found, dtype="object").assign(patient_id="anna") for name, found in given.items()}
    return Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]}), **frames}, today=TODAY)


@pytest.mark.parametrize("day", [dt.date(2025, 1, 16), dt.date(2025, 1, 20)])
@pytest.mark.parametrize("case", CASES)
def test_a_row_that_came_later_changes_no_earlier_day(case, day):
    table, first, later = CASES[case]
    spine = pd.DataFrame({"patient_id": ["anna"], "as_of": [day]})
    then, now = load(table, [first]), load(table, [first, later])
    np.testing.assert_array_equal(build(now, spine, threads=1).values, build(then, spine, threads=1).values)
    told = [find_gaps(records, day).drop(columns="evidence") for records in (then, now)]
    pd.testing.assert_frame_equal(*told)
