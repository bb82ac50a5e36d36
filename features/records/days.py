"""Whole days as int32 counted from 1970-01-01, the only form of a date inside the engine."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.jit import jit

Days = npt.NDArray[np.int32]

NO_DAY = int(np.iinfo(np.int32).max)
"""A missing day. It is the largest value, so that ``day < as_of`` is false for it without an extra test."""

_EPOCH = dt.date(1970, 1, 1)
FIRST_DAY = (dt.date(1900, 1, 2) - _EPOCH).days
"""Many systems write 1900-01-01 for an unknown date."""
LAST_REAL_DAY = (dt.date(2098, 12, 31) - _EPOCH).days
"""Systems write later days for "no end": 2099-12-31, 9999-12-31."""


def day_of(date: dt.date | str) -> int:
    """The day number of a date or of ISO text such as ``2025-03-31``."""
    if isinstance(date, str):
        date = dt.date.fromisoformat(date)
    if isinstance(date, dt.datetime):
        date = date.date()
    return (date - _EPOCH).days


def date_of(day: int) -> dt.date | None:
    """The date of a day number, None for a missing day."""
    return None if day == NO_DAY else _EPOCH + dt.timedelta(days=int(day))


def to_datetime64(days: Days) -> npt.NDArray[np.datetime64]:
    """Day numbers as datetime64[s], missing days as NaT."""
    dates = days.astype("datetime64[D]").astype("datetime64[s]")
    dates[days == NO_DAY] = np.datetime64("NaT")
    return dates


def from_datetimes(values: pd.Series) -> tuple[Days, npt.NDArray[np.bool_]]:
    """Day numbers of a datetime series (any time of day is cut off), and where it was missing."""
    times = values.to_numpy(dtype=f"datetime64[{values.dt.unit}]")
    return _whole_days(times.view(np.int64), pd.Timedelta(days=1) // pd.Timedelta(1, unit=values.dt.unit))


@jit()
def _whole_days(times, a_day):  # type: ignore[no-untyped-def]
    """Day numbers of times counted in units of which ``a_day`` make a day, and where a time is missing (the least
    number there is)."""
    days, missing = np.empty(times.shape[0], np.int32), np.empty(times.shape[0], np.bool_)
    for i in range(times.shape[0]):
        missing[i] = times[i] == np.iinfo(np.int64).min
        days[i] = NO_DAY if missing[i] else min(max(times[i] // a_day, -(2**30)), NO_DAY - 1)
    return days, missing
