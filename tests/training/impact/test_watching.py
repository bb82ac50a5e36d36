"""Watching: alarms are rare while risks are right, come in time when not, and the first step that suffices follows."""

from __future__ import annotations

import numpy as np
import pytest

from training.errors import NotEnoughData
from training.impact.watching.repair import repair
from training.impact.watching.sums import rows_until_alarm, watch, without_overlap
from training.settings import WatchSettings

SETTINGS = WatchSettings()


def made(rows: int, seed: int, shift: float = 0.0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Risks as a model gives them, and events by the truth: its log-odds times ``slope`` plus ``shift``."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-2.5, 1.0, rows)
    return 1 / (1 + np.exp(-x)), (rng.random(rows) < 1 / (1 + np.exp(-(shift + slope * x)))).astype(float)


def test_windows_of_one_person_do_not_overlap():
    person, day = np.array(["A", "A", "B", "A", "B"]), np.array([0, 50, 50, 90, 139])
    assert without_overlap(person, day, 90).tolist() == [0, 2, 3]


def test_calibrated_risks_raise_an_alarm_in_at_most_alpha_of_runs_with_repeated_looks():
    alarms = [watch(*made(2000, seed), alpha=0.05).alarm_at is not None for seed in range(300)]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_a_planted_shift_is_noticed_within_the_delay_that_theory_allows(shift):
    allowed = rows_until_alarm(made(20_000, 0)[0], shift, 0.01)
    found = [watch(*made(6000, seed, shift), alpha=0.01).alarm_at for seed in range(60)]
    assert all(at is not None for at in found)
    assert np.mean([at for at in found if at is not None]) <= 1.25 * allowed


@pytest.mark.parametrize(
    ("shift", "slope", "step"),
    [(0.0, 1.0, "none"), (0.5, 1.0, "intercept"), (0.3, 1.25, "slope"), (0.0, 0.4, "refit"), (1.2, 1.0, "refit")],
)
def test_the_first_step_that_suffices_is_taken(shift, slope, step):
    risk, event = made(12_000, 3, shift, slope)
    found = repair(risk, event, SETTINGS)
    assert found.step == step, found
    if step in ("intercept", "slope"):
        later, event_later = made(12_000, 4, shift, slope)
        fixed = found.apply(later)
        assert watch(fixed, event_later, 0.01).alarm_at is None
        assert event_later.sum() / fixed.sum() == pytest.approx(1.0, abs=0.1)
    else:
        assert found.apply(risk) is risk


def test_few_events_repair_nothing():
    with pytest.raises(NotEnoughData, match="do not repair by eye"):
        repair(*made(300, 1), SETTINGS)


def test_bounds_that_leave_out_no_change_are_refused():
    with pytest.raises(ValueError, match="1 between them"):
        WatchSettings(slope=(1.1, 1.4))
