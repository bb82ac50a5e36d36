"""One supply, the slow way: which of the rows known today stand, and for what. No clocks: only rows known today come
in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from features.reference import MEDICINES

Row = dict[str, Any]
DAY = dt.timedelta(days=1)
CARRY = 7 * DAY


def injection(row: Row) -> bool:
    return row["route"] == "long_acting_injection" or MEDICINES[row["medicine"]].is_long_acting_injection


def length(row: Row) -> int:
    if "stands_for" in row:
        return row["stands_for"]
    if injection(row):
        return int(row["interval_days"] or MEDICINES[row["medicine"]].lai_usual_interval_days or 28)
    return int(28 if row["days_supplied"] is None else row["days_supplied"])


def dose(row: Row) -> float | None:
    """Mg a day."""
    if "dose_a_day" in row:
        return row["dose_a_day"]
    if injection(row):
        return None if row["dose_mg"] is None else row["dose_mg"] / max(length(row), 1)
    return row["daily_dose_mg"]


def carried(day: dt.date, end: dt.date | None, days: int) -> tuple[dt.date, dt.date]:
    """The first day covered, and the first day not covered any more."""
    end = end or day
    begin = min(max(day, end), day + CARRY)
    return begin, max(end, begin + days * DAY)


def strength(row: Row) -> int:
    usual = "administered" if injection(row) else "dispensed"
    return ("prescribed", "dispensed", "administered").index(row["kind"] or usual)


def one_supply(rows: list[Row]) -> list[Row]:
    """``rows`` of one person, all known today and in order of day, each supply once: the row that stands for it, with
    ``stands_for`` days of ``dose_a_day``."""
    same: Callable[[Row], Any] = lambda r: (r["medicine"], injection(r), r["as_required"] is True)  # noqa: E731
    stand = [row for row in rows if not any(same(s) == same(row) and replaces(s, row) for s in rows)]
    by_strength: dict[Any, list[Row]] = {}
    for row in stand:
        by_strength.setdefault((*same(row), row["supplied_on"], row["prescriber"], strength(row)), []).append(row)
    kept = {}
    for group in by_strength.values():
        last = max(enumerate(group), key=lambda pair: (pair[1]["known_on"], pair[0]))[1]
        doses = {(length(row), dose(row)) for row in group if dose(row) is not None}
        total = sum(mg for _, mg in doses) if doses else None
        kept[id(last)] = last | {"stands_for": max(map(length, group)), "dose_a_day": total}
    return [kept[id(row)] for row in rows if id(row) in kept]


def replaces(strong: Row, weak: Row) -> bool:
    sides = {weak["prescriber"], strong["prescriber"]} - {None}
    if strength(strong) <= strength(weak) or len(sides) == 2:
        return False
    day, other = weak["supplied_on"], strong["supplied_on"]
    if day - 3 * DAY <= other < day + max(length(weak), 1) * DAY:
        return True
    return other <= day <= other + (length(strong) + 90) * DAY
