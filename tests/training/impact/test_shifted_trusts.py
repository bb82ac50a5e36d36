"""The watch and its repairs in small trusts whose risks are planted to be wrong.

A few trusts with fixed seeds hold the direction; ``upstream impact watch`` plays many, and
docs/measured/after_go_live.json keeps what it found.
"""

from __future__ import annotations

import pytest

from training.impact.shifted_trusts import OVERSHOOT, ShiftedTrust, watch_lines, watch_many
from training.settings import WatchSettings


@pytest.fixture(scope="module")
def found():
    return watch_many(ShiftedTrust(blocks=10), 12, seed=1, settings=WatchSettings())


@pytest.mark.parametrize(
    ("planted", "step"), [("too low", "intercept"), ("too high", "intercept"), ("far too low", "refit")]
)
def test_a_planted_shift_is_noticed_within_the_delay_that_theory_allows_and_the_step_that_suffices_named(
    found, planted, step
):
    one = found[planted]
    assert one["alarmed"] == 1.0 and one["first_step_as_planted"] >= 0.75 and one["suffices"] == step
    assert one["mean_rows_over_theory"] <= OVERSHOOT + 0.25  # twelve trusts: their mean moves by a fifth
    assert one["days_until_alarm_mean"] <= one["days_allowed"]


@pytest.mark.parametrize("planted", ["too low", "too high", "too close together"])
def test_after_the_steps_the_events_are_as_expected(found, planted):
    assert 0.85 < found[planted]["observed_over_expected_at_end"]["value"] < 1.15


def test_calibrated_risks_raise_no_alarm_and_a_refit_alone_repairs_nothing(found):
    assert found["right"]["alarmed"] <= 1 / 12 and found["right"]["steps"].get("none", 0) >= 11
    assert found["far too low"]["observed_over_expected_at_end"]["value"] > 1.8


def test_a_misfit_that_keeps_the_sum_is_said_to_be_beyond_the_test(found):
    assert "rows_by_theory" not in found["too close together, right in sum"]
    assert watch_lines(found)[0].startswith("synthetic: 12 trusts") and len(watch_lines(found)) == 7
