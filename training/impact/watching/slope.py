"""Sequential test of the calibration slope: are risks too far apart or too close together, whatever their level?

Risks with a wrong slope may be right in sum, and then the test of sums (:mod:`training.impact.watching.sums`) cannot
see it. This test compares the best explanation with a slope of 1 and any intercept with a mixture of explanations whose
slope is not 1. That is universal inference (Wasserman, Ramdas and Balakrishnan 2020, PNAS 117:16880): the evidence is
at most a nonnegative martingale if the slope is 1, whatever the intercept, so the chance that it ever reaches 1/alpha
is at most ``alpha``, however often somebody looks (Ville's inequality). A level that is off is no reason to alarm here.

Rows are those of the other test: complete labels, in the order in which they became complete, windows of one person
without overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
SLOPES = (0.8, 1.25)
"""Slopes that the test looks for, in equal parts. One further from 1 is found sooner, one between them later."""
LEVELS = np.linspace(-0.9, 0.9, 13)
"""Shifts of the log-odds that may come with them, at the centre of the risks."""
LEVEL_SPREAD = 0.3
"""Standard deviation of the shifts in the mixture: small ones are looked for first."""
_BELL = np.exp(-0.5 * (LEVELS / LEVEL_SPREAD) ** 2)
ALTERNATIVES = tuple(
    (slope, float(level), float(part))
    for slope in SLOPES
    for level, part in zip(LEVELS, _BELL / _BELL.sum() / len(SLOPES), strict=True)
)
"""Slope, shift and share of each explanation in the mixture."""
_NEWTON_STEPS = 50


@dataclass(frozen=True)
class SlopeWatched:
    """The result of the test so far. ``evidence`` is the largest value that a look found; the test alarms at 1/alpha.
    ``alarm_at`` is the last row before the look that alarmed, None without one.
    """

    rows: int
    evidence: float
    alarm_at: int | None


def watch_slope(risk: Floats, event: Floats, alpha: float, looks: Sequence[int] | None = None) -> SlopeWatched:
    """Runs the test over rows in order. ``looks`` are numbers of rows after which somebody looks, in rising order; by
    default once, after all of them.
    """
    x, y = _log_odds(risk), np.asarray(event, dtype=np.float64)
    if not len(x):
        return SlopeWatched(0, 1.0, None)
    base = np.logaddexp(0, x)
    mixed = reduce(np.logaddexp, _paths(x, y, base))
    most, level = -math.inf, 0.0
    for rows in [len(x)] if looks is None else looks:
        level = _intercept(x[:rows], y[:rows], level)
        best = float((y[:rows] * level - np.logaddexp(0, x[:rows] + level) + base[:rows]).sum())
        evidence = float(mixed[rows - 1]) - best
        most = max(most, evidence)
        if evidence >= math.log(1 / alpha):
            return SlopeWatched(len(x), math.exp(min(700.0, most)), rows - 1)
    return SlopeWatched(len(x), math.exp(min(700.0, most)), None)


def rows_until_slope_alarm(risk: Floats, shift: float, slope: float, alpha: float) -> float:
    """Expected number of rows until an alarm, if the true log-odds of every row are ``slope`` times its own plus
    ``shift``: the evidence needed, divided by the mean gain of a row, for the best of the test's alternatives.
    """
    x = _log_odds(risk)
    true = 1 / (1 + np.exp(-(slope * x + shift)))
    level = _intercept(x, true, 0.0)
    null = float((true * (x + level) - np.logaddexp(0, x + level)).mean())
    spread = _spread(x)
    centre = float((spread * x).sum() / spread.sum())
    needed = []
    for turned, move, part in ALTERNATIVES:
        z = x + (turned - 1) * (x - centre) + move
        gain = float((true * z - np.logaddexp(0, z)).mean()) - null
        needed.append(math.log(1 / (alpha * part)) / max(gain, 1e-12))
    return min(needed)


def _paths(x: Floats, y: Floats, base: Floats) -> Iterator[Floats]:
    """Log-likelihood of each alternative with its share, less that of the risks as they are, summed row by row.

    An alternative turns the risks about their centre, which is the mean of the log-odds so far, by how much each row
    tells. It reads no outcome, so it is known before that of the row.
    """
    spread = _spread(x)
    off = x - np.cumsum(spread * x) / np.cumsum(spread)
    for slope, level, part in ALTERNATIVES:
        move = (slope - 1) * off + level
        yield np.cumsum(y * move - np.logaddexp(0, x + move) + base) + math.log(part)


def _intercept(x: Floats, y: Floats, start: float) -> float:
    """The most likely intercept beside a slope of 1. Without events it has no end, and a far one is as good."""
    level = start
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-(x + level)))
        step = float((y - p).sum() / max(float((p * (1 - p)).sum()), 1e-9))
        level = min(20.0, max(-20.0, level + min(2.0, max(-2.0, step))))
        if abs(step) < 1e-9:
            break
    return level


def _spread(x: Floats) -> Floats:
    p = 1 / (1 + np.exp(-x))
    return np.asarray(p * (1 - p), dtype=np.float64)


def _log_odds(risk: Floats) -> Floats:
    p = np.clip(np.asarray(risk, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)), dtype=np.float64)
