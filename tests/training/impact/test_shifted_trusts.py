"""The watch and its repairs in small trusts whose risks are planted to be wrong.

A few trusts with fixed seeds hold the direction; ``upstream impact watch`` plays many, and
docs/measured/after_go_live.json keeps what it found.
"""

from __future__ import annotations

import pytest

from training.impact.watching.shifted_trusts import ShiftedTrust, watch_lines, watch_many, watch_one
from training.settings import WatchSettings

SETTINGS = WatchSettings()


@pytest.fixture(scope="module")
def found():
    return watch_many(ShiftedTrust(blocks=16), 12, seed=1, settings=SETTINGS)


@pytest.mark.parametrize(
    ("planted", "step"), [("too low", "intercept"), ("too high", "intercept"), ("far too low", "refit")]
)
def test_a_planted_shift_is_noticed_within_the_delay_that_theory_allows_and_the_step_that_suffices_named(
    found, planted, step
):
    one = found[planted]
    assert one["sum"]["alarmed"] == 1.0 and one["first_step_as_planted"] >= 0.75 and one["suffices"] == step
    assert one["sum"]["days_until_alarm_mean"] <= one["sum"]["days_allowed"]
    assert one["slope_test"]["alarmed"] <= 1 / 12  # a level that is off is no wrong slope


@pytest.mark.parametrize("planted", ["too close together, right in sum", "too far apart, right in sum"])
def test_a_slope_that_keeps_the_sum_is_noticed_by_its_own_test_and_repaired_by_the_slope(found, planted):
    one = found[planted]
    assert one["sum"]["beyond_the_test"] and one["slope_test"]["alarmed"] >= 0.9
    assert one["slope_test"]["days_until_alarm_mean"] <= one["slope_test"]["days_allowed"]
    assert one["first_step_as_planted"] >= 0.6 and one["repaired_as_planted"] >= 0.6  # twelve trusts, for the direction
    assert 0.9 < one["slope_left_at_end"]["value"] < 1.1


def test_a_slope_that_moves_the_sum_is_noticed_by_the_sum_first_and_then_by_the_slope():
    """An intercept may be the first step: the test of sums is quick. The slope that is left is then found."""
    trust = ShiftedTrust(blocks=24)
    steps = [watch_one(trust, 0.0, 1.25, seed, SETTINGS).names for seed in range(40, 50)]
    assert sum("slope" in one for one in steps) >= 6
    assert any(one[:2] == ("intercept", "slope") for one in steps)


@pytest.mark.parametrize("planted", ["too low", "too high", "too close together"])
def test_after_the_steps_the_events_are_as_expected(found, planted):
    assert 0.85 < found[planted]["observed_over_expected_at_end"]["value"] < 1.15


def test_calibrated_risks_raise_no_alarm_and_a_refit_alone_repairs_nothing(found):
    assert found["right"]["alarmed"] <= 1 / 12 and found["right"]["steps"].get("none", 0) >= 11
    assert found["far too low"]["observed_over_expected_at_end"]["value"] > 1.8


def test_the_lines_name_both_tests_and_say_that_the_trusts_are_synthetic(found):
    lines = watch_lines(found)
    assert lines[0].startswith("synthetic: 12 trusts") and len(lines) == 8
    assert all("test of events in sum" in line and "test of the slope" in line for line in lines[1:])
