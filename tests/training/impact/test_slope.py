"""The sequential test of the slope: rare alarms while the slope is right at any level, and in time when it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.training.impact.test_watching import made
from training.impact.watching.alarms import alarm_words, judge
from training.impact.watching.slope import ALTERNATIVES, rows_until_slope_alarm, watch_slope
from training.impact.watching.sums import watch
from training.settings import WatchSettings

SETTINGS = WatchSettings()
RIGHT_IN_SUM = 0.446
"""Shift beside a slope of 1.25 that leaves the sum of the risks of ``made`` as it is."""


@pytest.mark.parametrize("shift", [0.0, 0.5, -0.5])
def test_a_right_slope_alarms_no_more_often_than_alpha_at_any_level_however_often_one_looks(shift):
    looks = range(100, 2001, 100)
    alarms = [watch_slope(*made(2000, seed, shift), alpha=0.05, looks=looks).alarm_at for seed in range(150)]
    share = np.mean([at is not None for at in alarms])
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


@pytest.mark.parametrize(("shift", "slope"), [(RIGHT_IN_SUM, 1.25), (0.0, 1.25), (-0.377, 0.8)])
def test_a_planted_slope_is_noticed_within_the_delay_that_theory_allows(shift, slope):
    allowed = rows_until_slope_alarm(made(20_000, 0)[0], shift, slope, 0.01)
    looks = range(300, 18_001, 300)
    found = [watch_slope(*made(18_000, seed, shift, slope), alpha=0.01, looks=looks).alarm_at for seed in range(20)]
    assert all(at is not None for at in found)
    assert np.mean([at for at in found if at is not None]) <= 1.25 * allowed
    assert allowed < 5_500


def test_a_slope_that_keeps_the_sum_is_seen_by_this_test_and_not_by_that_of_sums():
    rows = [made(6_000, seed, RIGHT_IN_SUM, 1.25) for seed in range(20)]
    by_sum = np.mean([watch(risk, event, 0.01).alarm_at is not None for risk, event in rows])
    by_slope = np.mean([watch_slope(risk, event, 0.01).alarm_at is not None for risk, event in rows])
    assert by_sum <= 0.2 and by_slope >= 0.8


def slow_evidence(risk, event):
    """Word for word: the mean likelihood of every alternative over the largest likelihood of any intercept."""
    x = np.log(risk / (1 - risk))
    spread = risk * (1 - risk)

    def log_likelihood(z):
        return sum(math.log(p if happened else 1 - p) for p, happened in zip(1 / (1 + np.exp(-z)), event, strict=True))

    mixture = 0.0
    for slope, level, part in ALTERNATIVES:
        turned = []
        for row in range(len(x)):
            so_far = slice(0, row + 1)
            centre = (spread[so_far] * x[so_far]).sum() / spread[so_far].sum()
            turned.append(x[row] + (slope - 1) * (x[row] - centre) + level)
        mixture += part * math.exp(log_likelihood(np.array(turned)))
    largest = max(log_likelihood(x + shift) for shift in np.linspace(-4, 4, 4001))
    return mixture / math.exp(largest)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_evidence_equals_a_slow_reading_of_its_definition(seed):
    risk, event = made(40, seed, 1.2, 1.3)
    assert 0 < event.sum() < 40
    assert watch_slope(risk, event, 0.01).evidence == pytest.approx(slow_evidence(risk, event), rel=1e-4)


def test_without_rows_or_events_nothing_alarms():
    assert watch_slope(np.array([]), np.array([]), 0.01).alarm_at is None
    assert watch_slope(np.full(50, 0.1), np.zeros(50), 0.01).alarm_at is None
    found = judge(np.array([]), np.array([]), np.array([], dtype=np.int64), SETTINGS)
    assert found["alarm_at"] is None and found["alarm_of"] == [] and found["slope"] is None


def test_an_alarm_of_the_slope_alone_is_reported_and_an_intercept_is_not_named():
    risk, event = made(9_000, 5, RIGHT_IN_SUM, 1.25)
    found = judge(risk, event, np.repeat(np.arange(15), 600), SETTINGS)
    assert found["alarm_of"] == ["slope"] and found["repair"]["step"] == "slope"
    assert found["slope"]["low"] < 1.25 < found["slope"]["high"]
    assert found["alarm_at"] % 600 == 599  # somebody looks after each day, not before its last row
    assert alarm_words(["sum", "slope"]) == "events in sum and the slope"
