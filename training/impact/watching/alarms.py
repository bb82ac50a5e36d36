"""Both sequential tests of one model, of events in sum and of the slope, and the step of repair that follows.

The monthly report and the report of a silent trial read them here, so that they cannot differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData
from training.impact.watching.repair import calibration_slope, repair
from training.impact.watching.slope import rows_until_slope_alarm, watch_slope
from training.impact.watching.sums import rows_until_alarm, watch
from training.settings import WatchSettings

Floats = npt.NDArray[np.float64]
NOTICED_SHIFT, NOTICED_SLOPE = 0.5, 1.25
"""Misfits for which a report says how many rows the tests need to notice them."""


def judge(risk: Floats, event: Floats, day: npt.NDArray[np.int64], settings: WatchSettings) -> dict[str, Any]:
    """Both tests as plain data. Rows are in order of ``day``, the day of their scores; somebody looks after each day.

    ``alarm_at`` is the row of the first alarm and ``alarm_of`` the tests that alarmed (``sum``, ``slope``); ``slope``
    is the calibration slope of all rows with its 95% interval.
    """
    summed = watch(risk, event, settings.alpha)
    looks = np.append(np.flatnonzero(np.diff(day)) + 1, len(day)) if len(day) else np.zeros(0, dtype=np.int64)
    tilted = watch_slope(risk, event, settings.slope_alpha, looks.tolist())
    alarms = {name: at for name, at in (("sum", summed.alarm_at), ("slope", tilted.alarm_at)) if at is not None}
    slope = calibration_slope(risk, event)
    found: dict[str, Any] = {
        **summed.as_dict(),
        "slope_evidence": tilted.evidence,
        "slope": None if slope is None else slope.as_dict(),
        "alarm_at": min(alarms.values(), default=None),
        "alarm_of": list(alarms),
        "rows_that_a_shift_of_half_needs": None,
        "rows_that_a_slope_of_1_25_needs": None,
        "repair": {"step": "none", "why": "no alarm"},
    }
    if len(risk):
        found["rows_that_a_shift_of_half_needs"] = round(rows_until_alarm(risk, NOTICED_SHIFT, settings.alpha))
        found["rows_that_a_slope_of_1_25_needs"] = round(
            rows_until_slope_alarm(risk, 0.0, NOTICED_SLOPE, settings.slope_alpha)
        )
    if alarms:
        try:
            found["repair"] = vars(repair(risk, event, settings, "slope" in alarms))
        except NotEnoughData as error:
            found["repair"] = {"step": "wait", "why": str(error)}
    return found


ALARM_WORDS = {"sum": "events in sum", "slope": "the slope"}


def alarm_words(alarm_of: list[str]) -> str:
    """``events in sum and the slope``: which tests alarmed, for a line of a report."""
    return " and ".join(ALARM_WORDS[name] for name in alarm_of)
