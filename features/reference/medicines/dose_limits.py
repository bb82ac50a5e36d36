"""Maximum doses that are lower for some people: from an age, or below a kidney function (``dose_limits.csv``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from features.reference.files import ReferenceTableError, is_unverified, number, read_rows
from features.reference.medicines.medicines import MEDICINES


@dataclass(frozen=True)
class DoseLimit:
    """A maximum of mg a day by mouth: from ``age_from`` years, or below an eGFR of ``egfr_below``; 0 mg means avoid."""

    id: str
    medicine: str
    age_from: float | None
    egfr_below: float | None
    max_daily_dose_mg: float
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)


def _limit(row: dict[str, str]) -> DoseLimit:
    key = row["limit_id"]
    age, kidney = number(row, "age_from", "dose_limits"), number(row, "egfr_below", "dose_limits")
    most = number(row, "max_daily_dose_mg", "dose_limits")
    if row["medicine"] not in MEDICINES:
        raise ReferenceTableError(f"dose_limits.csv: row {key}: medicine is not in medicines.csv; add it there")
    if (age is None) == (kidney is None) or most is None:
        raise ReferenceTableError(f"dose_limits.csv: row {key}: state age_from or egfr_below, and the maximum")
    return DoseLimit(key, row["medicine"], age, kidney, most, row["source"])


@cache
def dose_limits() -> dict[str, tuple[DoseLimit, ...]]:
    """Limits by medicine (base name)."""
    found: dict[str, list[DoseLimit]] = {}
    for row in map(_limit, read_rows("dose_limits")):
        found.setdefault(row.medicine, []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}
