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
    if row["days_supplied"] is None and given_by_mouth(row):
        return 1
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


def given_by_mouth(row: Row) -> bool:
    return strength(row) == 2 and not injection(row)


def one_supply(rows: list[Row]) -> list[Row]:
    """``rows`` of one person, all known today and in order of day, each supply once: the row that stands for it, with
    ``stands_for`` days of ``dose_a_day``."""
    same: Callable[[Row], Any] = lambda r: (r["medicine"], injection(r), r["as_required"] is True)  # noqa: E731
    rows = [row for row in rows if row.get("status") in (None, "supplied", "reversed")]
    real = [row for row in rows if row.get("status") != "reversed"]
    by_strength: dict[Any, list[Row]] = {}
    for row in rows:
        by_strength.setdefault((*same(row), row["supplied_on"], row["prescriber"], strength(row)), []).append(row)
    kept = {}
    for group in by_strength.values():
        last = max(enumerate(group), key=lambda pair: (pair[1]["known_on"], pair[0]))[1]
        left = [row for row in group if row.get("status") != "reversed" and not undone(row, group)]
        if not left or any(same(s) == same(last) and (replaces(s, last) or holds_dose(s, last)) for s in real):
            continue
        doses = {(length(row), dose(row)) for row in left if dose(row) is not None}
        total = sum(mg for _, mg in doses) if doses else None
        kept[id(last)] = last | {"stands_for": max(map(length, left)), "dose_a_day": total}
    return [kept[id(row)] for row in rows if id(row) in kept]


def undone(row: Row, group: list[Row]) -> bool:
    """Whether a reversal tells of the row and became known no earlier than it."""
    said = length(row), dose(row)
    return any(
        r.get("status") == "reversed" and r["known_on"] >= row["known_on"] and (length(r), dose(r)) == said
        for r in group
    )


def two_sides(one: Row, other: Row) -> bool:
    return len({one["prescriber"], other["prescriber"]} - {None}) == 2


def holds_dose(supply: Row, row: Row) -> bool:
    """Whether a row is a single dose by mouth out of a supply in hand."""
    if not given_by_mouth(row) or strength(supply) >= 2 or two_sides(supply, row) or length(row) >= length(supply):
        return False
    day, began = row["supplied_on"], supply["supplied_on"]
    return began <= day < began + length(supply) * DAY or day <= began <= day + 3 * DAY


def replaces(strong: Row, weak: Row) -> bool:
    if strength(strong) <= strength(weak) or two_sides(strong, weak):
        return False
    if given_by_mouth(strong) and length(strong) < length(weak):
        return False
    day, other = weak["supplied_on"], strong["supplied_on"]
    if day - 3 * DAY <= other < day + max(length(weak), 1) * DAY:
        return True
    return not given_by_mouth(strong) and other <= day <= other + (length(strong) + 90) * DAY
