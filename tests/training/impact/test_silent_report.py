"""The silent report on scores whose outcomes are known by construction."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models.locked_scores import LockedScores
from tests.training.impact.test_readout import DAY, PEOPLE, trust
from training.impact.silent_report import silent_lines, silent_report


@pytest.fixture(scope="module")
def records():
    return trust()


def run(good: bool, bundle: str = "champion") -> LockedScores:
    """Everybody of the made-up trust in one team with 90 places. Every tenth even and every fifth odd pair is admitted:
    90 people. A good model puts them first, a poor one last.
    """
    ids = [f"P{i:04d}" for i in range(PEOPLE)]
    admitted = np.array([(i // 2) % (10 if i % 2 == 0 else 5) == 0 for i in range(PEOPLE)])
    order = np.argsort(~admitted if good else admitted, kind="stable")
    scores = pd.DataFrame({"patient_id": np.array(ids, object)[order], "team_id": "T1", "worst_gap": 9})
    scores["admission_90"], scores["place"], scores["slots"] = 0.15, np.arange(1, PEOPLE + 1), 90.0
    about = {"as_of": DAY.isoformat(), "bundle_id": bundle, "ranked_by": ["admission", 90]}
    about["days_since_newest"] = {"contacts": 3, "supplies": None}
    left_out = pd.DataFrame({"patient_id": ["X1", "X2"], "reason": ["no open referral", "in hospital"]})
    return LockedScores(scores, left_out, about, f"lock-{bundle}")


REVIEWS = pd.DataFrame({"patient_id": ["P0000", "P0010"], "reviewed_on": [DAY + dt.timedelta(days=5)] * 2})


def test_champion_and_challenger_are_reported_apart(records):
    found = silent_report([run(True), run(False, "challenger")], records, REVIEWS, {})["models"]
    champion, challenger = found["champion"], found["challenger"]
    assert champion["events"] == 90 and champion["followed_up"] == PEOPLE
    assert champion["capture"]["own places"] == 1.0 and challenger["capture"]["own places"] == 0.0
    assert champion["capture"]["25"] == pytest.approx(25 / 90, abs=1e-4)
    assert champion["calibration"]["everybody"]["value"] == pytest.approx(1.0)  # 90 expected, 90 observed
    assert champion["left_out"] == {"no open referral": 1, "in hospital": 1}
    assert champion["days_since_newest"] == {
        "contacts": {"median": 3.0, "most": 3},
        "supplies": {"median": None, "most": None},
    }
    assert champion["staff"]["reviewed_of_listed"] == pytest.approx(1 / 90, abs=1e-4)  # P0010 was not admitted


def test_a_lock_missing_or_late_in_the_audit_log_is_reported(records):
    runs = [run(True)]
    soon, late = f"{DAY}T02:00:00+00:00", f"{DAY + dt.timedelta(days=30)}T02:00:00+00:00"
    for at, expected in (({"lock-champion": soon}, True), ({"lock-champion": late}, False), ({}, False)):
        found = silent_report(runs, records, REVIEWS, at)
        assert found["locks"][0]["locked_before_outcomes"] is expected
    assert "1 not shown to be written before" in silent_lines(found)[-1]


def test_outcomes_that_are_not_known_yet_are_counted_and_not_read(records):
    late = run(True)
    late.about["as_of"] = (DAY + dt.timedelta(days=290)).isoformat()
    found = silent_report([late], records, REVIEWS, {})["models"]["champion"]
    assert found["followed_up"] == 0 and found["too_early_or_left"] == PEOPLE
    assert found["capture"]["10"] is None
