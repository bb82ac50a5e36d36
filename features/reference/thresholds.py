"""Limits of results and what to do past them (``thresholds.csv``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from features.reference.files import is_unverified, number, read_rows


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
def _load() -> dict[str, Threshold]:
    return {
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
        for row in read_rows("thresholds")
    }


THRESHOLDS: dict[str, Threshold] = _load()
