"""Sequential test of events in sum: do observed events agree with expected ones?

The test may be read every week. It is a mixture of likelihood ratios, an e-process, so the chance of any false alarm
is at most ``alpha`` (Ville's inequality). It reads events in sum; a wrong slope that keeps the sum is for
:mod:`training.impact.watching.slope`. A row counts only once its horizon has passed and late rows have settled,
and each person at most once a horizon, so that no two windows of a person overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
SHIFTS = np.array([-0.8, -0.5, -0.3, 0.3, 0.5, 0.8])
"""Shifts of the log-odds that the test looks for, in equal parts. A shift between them is found a little later."""


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
