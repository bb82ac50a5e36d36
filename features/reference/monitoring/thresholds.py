"""Limits of results and what to do beyond them (``thresholds.csv``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import inf
from pathlib import Path

from features.reference.files import FOLDER, ReferenceTableError, is_unverified, number, read_rows

NEEDED: dict[str, tuple[str, ...]] = {"low": ("high",), "high": ("low",), "in_range": ("low",)}
"""The limit that a row of each direction must state; without it the band would hold every value."""


@dataclass(frozen=True)
class Threshold:
    """One band of a test's values: ``low`` is included and ``high`` excluded for direction ``low``; see
    :meth:`holds`."""

    id: str
    test: str
    context: str
    direction: str
    low: float | None
    high: float | None
    unit: str
    severity: str
    meaning: str
    action: str
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in this band: low-side bands are [low, high), high-side bands are [low, high)."""
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


@cache
def load(folder: Path = FOLDER) -> dict[str, Threshold]:
    """Rows of ``thresholds.csv`` by id. Raises ReferenceTableError, which names the row, for a blank limit or for
    overlapping bands of one test and context (a blank inner limit causes that)."""
    rows = {
        row["threshold_id"]: Threshold(
            id=row["threshold_id"],
            test=row["test"],
            context=row["context"],
            direction=row["direction"],
            low=number(row, "low", "thresholds"),
            high=number(row, "high", "thresholds"),
            unit=row["units"],
            severity=row["severity"],
            meaning=row["meaning"],
            action=row["action_keyword"],
            source=row["source"],
        )
        for row in read_rows("thresholds", folder)
    }
    for row in rows.values():
        _check(row)
    for one, other in combinations(rows.values(), 2):
        if (one.test, one.context) == (other.test, other.context) and _overlap(one, other):
            raise ReferenceTableError(
                f"thresholds.csv: rows {one.id} and {other.id} overlap: both hold some values of {one.test} "
                f"({one.context}); fill in the blank limit or correct the wrong one"
            )
    return rows


def _check(row: Threshold) -> None:
    if row.direction not in NEEDED:
        raise ReferenceTableError(f"thresholds.csv: row {row.id}: direction must be one of {', '.join(NEEDED)}")
    for field in NEEDED[row.direction]:
        _stated(row, field)
    if row.low is not None and row.high is not None and row.low >= row.high:
        raise ReferenceTableError(f"thresholds.csv: row {row.id}: low must be below high")


def _overlap(one: Threshold, other: Threshold) -> bool:
    starts = max(-inf if row.low is None else row.low for row in (one, other))
    ends = min(inf if row.high is None else row.high for row in (one, other))
    return starts < ends


def _stated(row: Threshold, field: str) -> float:
    limit: float | None = getattr(row, field)
    if limit is None:
        raise ReferenceTableError(f"thresholds.csv: row {row.id}: {field} is blank; a rule needs the number, write it")
    return limit


THRESHOLDS: dict[str, Threshold] = load()


def band(key: str) -> Threshold:
    """The row with the id ``key``. Raises ReferenceTableError naming the row if the table has none."""
    if key not in THRESHOLDS:
        raise ReferenceTableError(f"thresholds.csv: row {key} is missing; a rule needs it")
    return THRESHOLDS[key]


def bands(*keys: str) -> tuple[str, ...]:
    """``keys`` as given, after a check that the table has each: for rules that try several bands in order."""
    return tuple(band(key).id for key in keys)


def low_limit(key: str) -> float:
    """The lower limit of row ``key``. Read it at import, so that a missing limit stops the start."""
    return _stated(band(key), "low")


def high_limit(key: str) -> float:
    """The upper limit of row ``key``; see :func:`low_limit`."""
    return _stated(band(key), "high")
