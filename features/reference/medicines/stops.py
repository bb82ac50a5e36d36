"""Medicines that must not be stopped suddenly, and how soon after supply runs out to ask about it
(``sudden_stops.csv``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from features.reference.files import ReferenceTableError, days, is_unverified, read_rows
from features.reference.medicines.medicines import MEDICINES, in_scope


@dataclass(frozen=True)
class SuddenStop:
    """One row: ask after ``from_day`` days without supply, if treatment lasted ``taken_days`` days or more."""

    scope: str
    from_day: int
    taken_days: int
    severity: str
    risk: str
    action: str
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)


@cache
def _load() -> tuple[SuddenStop, ...]:
    found = []
    for row in read_rows("sudden_stops"):
        scope = row["medicine_or_scope"]
        from_day, taken = days(row, "from_day", "sudden_stops"), days(row, "taken_days", "sudden_stops")
        if from_day is None or taken is None:
            raise ReferenceTableError(f"sudden_stops.csv: row {scope}: from_day and taken_days must be whole days")
        if row["severity"] not in ("high", "medium"):
            raise ReferenceTableError(f"sudden_stops.csv: row {scope}: severity must be high or medium")
        if not any(in_scope(m, scope) for m in MEDICINES.values()):
            raise ReferenceTableError(f"sudden_stops.csv: row {scope}: no medicine is in this scope")
        found.append(SuddenStop(scope, from_day, taken, row["severity"], row["risk"], row["action"], row["source"]))
    return tuple(found)


SUDDEN_STOPS: tuple[SuddenStop, ...] = _load()


@cache
def sudden_stop(medicine: str) -> SuddenStop | None:
    """The first row that applies to a medicine, None if none does."""
    return next((row for row in SUDDEN_STOPS if in_scope(MEDICINES[medicine], row.scope)), None)
