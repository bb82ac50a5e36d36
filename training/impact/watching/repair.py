"""The calibration slope with its interval, and the smallest repair of a model that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData
from training.impact.effects import Interval
from training.settings import WatchSettings

Floats = npt.NDArray[np.float64]
FEWEST_FOR_SLOPE = 20
"""Events, and people without one, below which a calibration slope is not shown."""


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
    alarmed (:mod:`training.impact.watching.slope`), an intercept is known not to suffice. Raises NotEnoughData below
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
