"""Proportion of days covered, by the published definitions, for any supplies. The features use the same conventions
in compiled code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from features.errors import UpstreamError

Method = Literal["CMA1", "CMA2", "CMA3", "CMA4", "CMA5", "CMA6", "CMA7", "CMA8", "CMA9"]
Supply = tuple[int, int, str]
"""Day (0 is the window's first), days supplied, medicine."""


class AdherenceError(UpstreamError, ValueError):
    """Supplies or a window that no definition covers. The message says what was expected and gives rows by position."""


def proportion_of_days_covered(
    supplies: pd.DataFrame,
    start: dt.date | str,
    end: dt.date | str,
    method: Method = "CMA7",
) -> pd.DataFrame:
    """One row per person: ``patient_id``, ``proportion_of_days_covered``, ``days_covered``, ``days_in_window``.

    ``supplies`` has patient_id, supplied_on, days_supplied and, optionally, medicine. Conventions:

    * The window is half-open, [start, end), as everywhere in Upstream: a window of 90 days ends on the 90th day after
      ``start``. Supplies on or after ``end`` are not read.
    * A supply of ``s`` days on day ``d`` covers ``d .. d + s - 1``. One that comes while the same medicine is left
      starts when that runs out (carry-over), in CMA5 to CMA9. With a ``medicine`` column, carry-over stays within a
      medicine and a day is covered when any of them covers it; CMA9 then pools the medicines.
    * CMA1 days supplied without the last supply, over first to last supply; CMA2 all supply over first supply to the
      window's end; CMA3 and CMA4 are CMA1 and CMA2 capped at 1. Only supplies inside the window count; so too in CMA5
      and CMA6.
    * CMA5 days covered, first to last supply; CMA6 the same to the window's end.
    * CMA7 days covered over the whole window, with supply carried in from before it (give supplies from at least 90
      days before ``start``). Days before the first supply count as not covered.
    * CMA8 days covered from the day on which supply carried in has run out to the window's end, where that supply does
      not count; from the window's own start where none is carried in. NaN where it lasts beyond the window.
    * CMA9 each supply's days over the days to the next supply (or the window's end), at most 1, any excess moving to
    the next; that share is applied to each day of the interval, and averaged over the window.
    * NaN if the definition's denominator is empty (fewer than two supplies for CMA1, 3 and 5; none for the others).
    * Inpatient days are removed by the features, which know the stays; this function knows only supplies.

    Source: Vollmer 2012 and the AdhereR definitions (Dima and Dediu 2017), as docs/clinical.md section 3 gives them.
    Raises AdherenceError.
    """
    rules = _RULES.get(method)
    if rules is None:
        raise AdherenceError(f"method {method} is not known; choose one of {', '.join(_RULES)}")
    first, last = pd.Timestamp(start), pd.Timestamp(end)
    if not first < last:
        raise AdherenceError("the window is empty: end must be after start, and is itself not part of the window")
    rows = []
    for patient, events in _by_person(supplies, first).items():
        days, window = rules(events, (last - first).days)
        rows.append((patient, days / window if window else np.nan, float(days), window))
    frame = pd.DataFrame(rows, columns=["patient_id", "proportion_of_days_covered", "days_covered", "days_in_window"])
    return frame.astype({"patient_id": "str", "proportion_of_days_covered": "float64", "days_in_window": "int64"})


def _by_person(supplies: pd.DataFrame, first: pd.Timestamp) -> dict[str, list[Supply]]:
    gone = [c for c in ("patient_id", "supplied_on", "days_supplied") if c not in supplies]
    if gone:
        raise AdherenceError(f"supplies lack {', '.join(gone)}; one row a supply is expected")
    day = (pd.to_datetime(supplies["supplied_on"]) - first).dt.days
    days = pd.to_numeric(supplies["days_supplied"], errors="coerce")
    bad = np.flatnonzero(day.isna() | days.isna() | (days < 0))
    if len(bad):
        named = ", ".join(str(row) for row in bad[:5])
        raise AdherenceError(f"rows {named}: supplied_on must be a date and days_supplied a number of at least 0")
    medicine = supplies["medicine"].astype("str") if "medicine" in supplies else pd.Series("", index=supplies.index)
    found: dict[str, list[Supply]] = {}
    for row in sorted(
        zip(supplies["patient_id"].astype("str"), day, days, medicine, strict=True), key=lambda row: row[:2]
    ):
        found.setdefault(row[0], []).append((int(row[1]), int(row[2]), row[3]))
    return found


def _covered(events: list[Supply]) -> set[int]:
    """Days covered, with carry-over within each medicine."""
    days: set[int] = set()
    ends: dict[str, int] = {}
    for day, length, medicine in events:
        begin = max(day, ends.get(medicine, day))
        ends[medicine] = begin + length
        days.update(range(begin, begin + length))
    return days


def _inside(events: list[Supply], window: int) -> list[Supply]:
    return [event for event in events if 0 <= event[0] < window]


def _ratio(skip_last: bool, cap: bool) -> Callable[[list[Supply], int], tuple[float, int]]:
    def rule(events: list[Supply], window: int) -> tuple[float, int]:
        used = _inside(events, window)
        if not used or (skip_last and len(used) < 2):
            return 0.0, 0
        length = (used[-1][0] if skip_last else window) - used[0][0]
        days = float(sum(days for _, days, _ in (used[:-1] if skip_last else used)))
        return (min(days, length) if cap else days), length

    return rule


def _coverage(to_last: bool) -> Callable[[list[Supply], int], tuple[float, int]]:
    def rule(events: list[Supply], window: int) -> tuple[float, int]:
        used = _inside(events, window)
        if not used or (to_last and len(used) < 2):
            return 0.0, 0
        first, last = used[0][0], used[-1][0] if to_last else window
        return float(len(_covered(used) & set(range(first, last)))), last - first

    return rule


def _cma7(events: list[Supply], window: int) -> tuple[float, int]:
    used = [event for event in events if event[0] < window]
    return (float(len(_covered(used) & set(range(window)))), window) if used else (0.0, 0)


def _cma8(events: list[Supply], window: int) -> tuple[float, int]:
    before = [event for event in events if event[0] < 0]
    used = _inside(events, window)
    if not used:
        return 0.0, 0
    first = max((day for day in _covered(before) if day >= 0), default=-1) + 1
    if first >= window:
        return 0.0, 0
    lagged = [(max(day, first), days, medicine) for day, days, medicine in used]
    return float(len(_covered(lagged) & set(range(first, window)))), window - first


def _cma9(events: list[Supply], window: int) -> tuple[float, int]:
    used = [event for event in events if event[0] < window]
    if not used:
        return 0.0, 0
    total, carry = 0.0, 0.0
    for place, (day, days, _) in enumerate(used):
        following = used[place + 1][0] if place + 1 < len(used) else window
        length, held = following - day, carry + days
        share = min(1.0, held / length) if length else 0.0
        carry = max(0.0, held - length)
        total += share * max(0, following - max(day, 0))
    return total, window


_RULES: dict[str, Callable[[list[Supply], int], tuple[float, int]]] = {
    "CMA1": _ratio(skip_last=True, cap=False),
    "CMA2": _ratio(skip_last=False, cap=False),
    "CMA3": _ratio(skip_last=True, cap=True),
    "CMA4": _ratio(skip_last=False, cap=True),
    "CMA5": _coverage(to_last=True),
    "CMA6": _coverage(to_last=False),
    "CMA7": _cma7,
    "CMA8": _cma8,
    "CMA9": _cma9,
}
