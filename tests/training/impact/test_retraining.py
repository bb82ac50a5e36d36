"""Rounds of retraining with effective reviews: the unchanged rows give too low a risk, the exposure log does not.

One trust with a fixed seed holds the direction. ``upstream impact retrain`` plays many and gives intervals: they are
kept in docs/measured/after_go_live.json.
"""

from __future__ import annotations

import pytest

from training.impact.retraining.rounds import FeedbackTrust, retrain_in, retrain_lines, retrain_many

SMALL = FeedbackTrust(people=1500, rounds=2, reviewed=0.8, effect=-0.9)


@pytest.fixture(scope="module")
def found():
    return retrain_in(SMALL, seed=3)


def test_unchanged_rows_give_listed_people_too_low_a_risk_and_the_exposure_log_does_not(found):
    assert found["naive"]["expected_over_true"] < 0.65
    assert 0.8 < found["aware"]["expected_over_true"] < 1.25
    assert 0.8 < found["first"]["expected_over_true"] < 1.25


def test_reviews_that_do_nothing_leave_both_ways_right():
    idle = retrain_in(FeedbackTrust(people=1500, rounds=2, reviewed=0.8, effect=0.0), seed=3)
    assert all(0.8 < way["expected_over_true"] < 1.25 for way in idle.values())


def test_the_same_seed_gives_the_same_trust_and_the_table_says_that_it_is_synthetic(found):
    two = retrain_many(SMALL, 2, seed=3)
    assert two["trusts"] == 2 and two["naive"]["expected_over_true"]["high"] < 0.9
    assert two["first"]["capture_lost"]["value"] == 0.0
    lines = retrain_lines(two)
    assert lines[0].startswith("synthetic: 2 trusts") and len(lines) == 5
    assert two["naive_over_aware"]["high"] < 0.9 and "in the same trust" in lines[-1]
