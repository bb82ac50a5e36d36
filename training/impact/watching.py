"""Watches whether observed events agree with expected ones, and names the smallest repair that is enough.

The test may be read every week. It is a mixture of likelihood ratios, an e-process, so the chance of any false alarm
is at most ``alpha`` (Ville's inequality). It reads events in sum; a wrong slope that keeps the sum is for
:mod:`training.impact.slope_test`. A row counts only once its horizon has passed and late rows have settled,
and each person at most once a horizon, so that no two windows of a person overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData
from training.impact.effects import Interval
from training.settings import WatchSettings

Floats = npt.NDArray[np.float64]
SHIFTS = np.array([-0.8, -0.5, -0.3, 0.3, 0.5, 0.8])
"""Shifts of the log-odds that the test looks for, in equal parts. A shift between them is found a little later."""

FEWEST_FOR_SLOPE = 20
"""Events, and people without one, below which a calibration slope is not shown."""


def without_overlap(person: npt.NDArray[Any], day: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.int64]:
    """Positions of the rows that count, in order of day: a person's next row begins after the window before it."""
    free_from: dict[Any, int] = {}
    kept = []
    for row in np.lexsort((np.arange(len(day)), day)):
        if day[row] >= free_from.get(person[row], -(10**9)):
            kept.append(row)
            free_from[person[row]] = int(day[row]) + horizon
    return np.asarray(kept, dtype=np.int64)


@dataclass(frozen=True)
class Watched:
    """The result of the test so far. ``evidence`` is the largest value it reached; it alarms at 1/alpha. ``alarm_at``
    is the row that raised the alarm, None without one.
    """

    rows: int
    observed: int
    expected: float
    evidence: float
    alarm_at: int | None

    def as_dict(self) -> dict[str, Any]:
        ratio = self.observed / self.expected if self.expected else None
        return {**vars(self), "observed_to_expected": ratio}


def watch(risk: Floats, event: Floats, alpha: float) -> Watched:
    """Runs the test over rows in order of the day on which their label was complete."""
    p = np.clip(np.asarray(risk, dtype=np.float64), 1e-6, 1 - 1e-6)
    y = np.asarray(event, dtype=np.float64)
    if not len(p):
        return Watched(0, 0, 0.0, 1.0, None)
    odds = np.log(p / (1 - p))[:, None] + SHIFTS
    gain = y[:, None] * SHIFTS - np.logaddexp(0, odds) + np.logaddexp(0, odds - SHIFTS)
    paths = np.cumsum(gain, axis=0)
    top = paths.max(axis=1)
    log_evidence = top + np.log(np.exp(paths - top[:, None]).mean(axis=1))
    alarms = np.flatnonzero(log_evidence >= math.log(1 / alpha))
    first = int(alarms[0]) if len(alarms) else None
    return Watched(len(p), int(y.sum()), float(p.sum()), math.exp(min(700.0, float(log_evidence.max()))), first)


def rows_until_alarm(risk: Floats, shift: float, alpha: float, slope: float = 1.0) -> float:
    """Expected number of rows until an alarm, if the true log-odds of every row are ``slope`` times its own plus
    ``shift``. It is the evidence needed, divided by the mean gain of a row for the best shift that the test looks for.
    """
    p = np.clip(np.asarray(risk, dtype=np.float64), 1e-6, 1 - 1e-6)
    base = np.log(p / (1 - p))
    true = 1 / (1 + np.exp(-(slope * base + shift)))
    gains = [float((true * s - np.logaddexp(0, base + s) + np.logaddexp(0, base)).mean()) for s in SHIFTS]
    return math.log(len(SHIFTS) / alpha) / max(max(gains), 1e-12)


def calibration_slope(risk: Floats, event: Floats) -> Interval | None:
    """Slope of the log-odds with its 95% interval: 1 is right; below 1 the risks are too far apart. None with fewer
    than ``FEWEST_FOR_SLOPE`` events or people without one, or where every risk is the same.
    """
    p, y = np.clip(np.asarray(risk, dtype=np.float64), 1e-6, 1 - 1e-6), np.asarray(event, dtype=np.float64)
    if min(y.sum(), (1 - y).sum()) < FEWEST_FOR_SLOPE or np.ptp(p) < 1e-9:
        return None
    x = np.log(p / (1 - p))
    intercept, slope = _fit(x, y, slope=True)
    design, fitted = np.column_stack([np.ones(len(x)), x]), 1 / (1 + np.exp(-(intercept + slope * x)))
    information = (design * (fitted * (1 - fitted))[:, None]).T @ design
    return Interval.around(slope, float(np.sqrt(np.linalg.inv(information)[1, 1])))


@dataclass(frozen=True)
class Repair:
    """The smallest repair that is enough: ``none``, ``intercept``, ``slope`` or ``refit``. A step outside the bounds
    that were written beforehand is not taken by itself: then the step is ``refit``, which a person decides on.
    """

    step: str
    intercept: float
    slope: float
    why: str

    def apply(self, risk: Floats) -> Floats:
        """The repaired risks. ``refit`` changes nothing."""
        if self.step in ("none", "refit"):
            return risk
        p = np.clip(risk, 1e-6, 1 - 1e-6)
        return np.asarray(1 / (1 + np.exp(-(self.intercept + self.slope * np.log(p / (1 - p))))), dtype=np.float64)


def repair(risk: Floats, event: Floats, settings: WatchSettings, slope_alarmed: bool = False) -> Repair:
    """Fits intercept, then intercept and slope, and takes the first that leaves no misfit. Where the test of the slope
    alarmed (:mod:`training.impact.slope_test`), an intercept is known not to suffice. Raises NotEnoughData below
    ``fewest_events``.
    """
    y = np.asarray(event, dtype=np.float64)
    if y.sum() < settings.fewest_events or (1 - y).sum() < settings.fewest_events:
        raise NotEnoughData(
            f"{int(y.sum())} events; a repair needs {settings.fewest_events}. Wait for more, and do not repair by eye"
        )
    p = np.clip(np.asarray(risk, dtype=np.float64), 1e-6, 1 - 1e-6)
    x = np.log(p / (1 - p))
    one, two = _fit(x, y, slope=False), _fit(x, y, slope=True)
    none_fits, one_fits, two_fits = (
        _log_likelihood(x, y, 0.0, 1.0),
        _log_likelihood(x, y, *one),
        _log_likelihood(x, y, *two),
    )
    limit = NormalDist().inv_cdf(1 - settings.step_p / 2) ** 2  # chi-squared, one degree of freedom
    slope_fits = not slope_alarmed and 2 * (two_fits - one_fits) < limit
    if slope_fits and 2 * (one_fits - none_fits) < limit:
        return Repair("none", 0.0, 1.0, "the risks fit")
    if slope_fits:
        if abs(one[0]) <= settings.most_intercept:
            return Repair("intercept", one[0], 1.0, "an intercept suffices")
        return Repair("refit", *one, f"the intercept {one[0]:+.2f} lies outside {settings.most_intercept}")
    if settings.slope[0] <= two[1] <= settings.slope[1] and abs(two[0]) <= settings.most_intercept:
        return Repair("slope", *two, "intercept and slope suffice")
    return Repair("refit", *two, f"slope {two[1]:.2f} or intercept {two[0]:+.2f} lies outside the bounds")


def _fit(x: Floats, y: Floats, slope: bool) -> tuple[float, float]:
    """Maximum likelihood of intercept, and of the slope if asked, by Newton's method."""
    beta = np.array([0.0, 1.0])
    design = np.column_stack([np.ones(len(x)), x])
    free = [0, 1] if slope else [0]
    for _ in range(50):
        p = 1 / (1 + np.exp(-(design @ beta)))
        part = design[:, free]
        step = np.linalg.solve((part * (p * (1 - p))[:, None]).T @ part, part.T @ (y - p))
        beta[free] += step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[0]), float(beta[1])


def _log_likelihood(x: Floats, y: Floats, intercept: float, slope: float) -> float:
    z = intercept + slope * x
    return float((y * z - np.logaddexp(0, z)).sum())
