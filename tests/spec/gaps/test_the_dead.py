"""Somebody who has died has no care gap; somebody whose death is not yet known has those of the day."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records, find_gaps


def late_depot(died_on=None, known_on=None, close_reason=None):
    return Records.from_frames(
        {
            "patients": pd.DataFrame({"patient_id": ["p"], "died_on": [died_on], "known_on": [known_on]}),
            "supplies": pd.DataFrame(
                {
                    "patient_id": ["p"],
                    "medicine": ["paliperidone"],
                    "route": ["long_acting_injection"],
                    "kind": ["administered"],
                    "supplied_on": ["2025-06-01"],
                    "interval_days": [28.0],
                }
            ),
            "referrals": pd.DataFrame(
                {
                    "patient_id": ["p"],
                    "referral_id": ["r"],
                    "team_id": ["t"],
                    "opened_on": ["2024-01-01"],
                    "closed_on": ["2025-12-05" if close_reason else None],
                    "close_reason": [close_reason],
                }
            ),
        }
    )


@pytest.mark.parametrize(
    ("died_on", "known_on", "close_reason", "has_gaps"),
    [
        (None, None, None, True),
        ("2025-12-05", None, None, False),
        ("2025-12-05", "2026-01-05", None, True),
        ("2026-01-05", None, None, True),
        (None, None, "died", False),
        (None, None, "planned_discharge", True),
    ],
)
def test_gaps_end_with_a_death_that_is_known(died_on, known_on, close_reason, has_gaps):
    found = find_gaps(late_depot(died_on, known_on, close_reason), "2026-01-05")
    assert bool(len(found)) is has_gaps
