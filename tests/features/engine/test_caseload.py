"""Who has died, as known by a date: both the death and the row that tells of it count only once they are known."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records
from features.engine.caseload import have_died
from features.records import day_of
from tests.tables import TODAY

CLOSED = {
    "opened_on": "2025-01-10",
    "known_on": "2025-01-11",
    "closed_on": "2025-03-01",
    "closed_known_on": "2025-03-04",
    "close_reason": "died",
}


@pytest.mark.parametrize(
    ("change", "as_of", "died"),
    [
        ({}, "2025-03-04", False),
        ({}, "2025-03-05", True),
        ({"close_reason": "refused"}, "2025-03-05", False),
        ({"known_on": "2025-06-01"}, "2025-06-01", False),
        ({"known_on": "2025-06-01"}, "2025-06-02", True),
    ],
)
def test_a_referral_closed_by_death_counts_once_it_is_known_itself(change, as_of, died):
    referral = {"patient_id": "anna", "referral_id": "r", "team_id": "t", **CLOSED, **change}
    frames = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "referrals": pd.DataFrame([referral])}
    found = Records.from_frames(frames, today=TODAY)
    assert have_died(found, day_of(as_of)).tolist() == [died]


@pytest.mark.parametrize(
    ("died_on", "known_on", "as_of", "died"),
    [
        ("2025-03-01", "2025-03-04", "2025-03-04", False),
        ("2025-03-01", "2025-03-04", "2025-03-05", True),
        ("2025-03-01", None, "2025-03-01", False),
        ("2025-03-01", None, "2025-03-02", True),
        (None, "2025-03-04", "2025-03-05", False),
    ],
)
def test_a_death_counts_after_its_day_once_it_is_known(died_on, known_on, as_of, died):
    person = {"patient_id": "anna", "died_on": died_on, "known_on": known_on}
    found = Records.from_frames({"patients": pd.DataFrame([person], dtype="object")}, today=TODAY)
    assert have_died(found, day_of(as_of)).tolist() == [died]
