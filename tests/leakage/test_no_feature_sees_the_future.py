"""Delete or garble everything with an event day or ``known_on`` at or after the date: no feature and no gap may change.

A sample on a simulated trust here; the full proof is a command of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features import Records, build, find_gaps
from features.records import TABLES
from training.simulator import simulate

LATE = {
    "contacts": [("outcome_known_on", {"outcome": "planned"})],
    "referrals": [("closed_known_on", {"closed_on": pd.NaT, "close_reason": None})],
    "stays": [("discharge_known_on", {"discharged_on": pd.NaT})],
}


@pytest.fixture(scope="module")
def trust() -> Records:
    return simulate(patients=150, years=2, seed=11).records


def without_the_future(records: Records, as_of: pd.Timestamp) -> Records:
    """What a store would have held at 00:00 of ``as_of``."""
    frames = {}
    for name, spec in TABLES.items():
        frame = records[name]
        if spec.event_day:
            happened = frame[spec.event_day] < as_of
            if name == "contacts":  # an appointment that was booked before the day is known, though it lies ahead
                happened |= frame["booked_on"] < as_of
            frame = frame[happened & (frame["known_on"] < as_of)].copy()
        for clock, blank in LATE.get(name, []):
            unknown = ~(frame[clock] < as_of)
            for column, value in blank.items():
                frame.loc[unknown, column] = value
            frame.loc[unknown, clock] = pd.NaT
        frames[name] = frame
    frames["patients"]["died_on"] = pd.NaT
    return Records.from_frames(frames, about=records.about)


@pytest.mark.parametrize("days_before_the_end", [30, 200, 400])
def test_what_happens_or_becomes_known_later_changes_nothing(trust, days_before_the_end):
    as_of = pd.Timestamp(trust.last_day_known() - days_before_the_end, unit="D")
    past = without_the_future(trust, as_of)
    spine = pd.DataFrame({"patient_id": trust.patient_ids, "as_of": as_of})
    np.testing.assert_array_equal(build(trust, spine).values, build(past, spine).values)
    drop = ["evidence"]
    pd.testing.assert_frame_equal(
        find_gaps(trust, as_of.date()).drop(columns=drop), find_gaps(past, as_of.date()).drop(columns=drop)
    )


def test_the_check_notices_a_row_from_the_past(trust):
    as_of = pd.Timestamp(trust.last_day_known() - 200, unit="D")
    earlier = without_the_future(trust, as_of - pd.Timedelta(days=60))
    spine = pd.DataFrame({"patient_id": trust.patient_ids, "as_of": as_of})
    assert not np.array_equal(build(trust, spine).values, build(earlier, spine).values, equal_nan=True)
