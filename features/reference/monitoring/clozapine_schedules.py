"""The schedule of clozapine blood counts that a trust's register follows: versioned data with the day it was checked.

``UPSTREAM_CLOZAPINE_SCHEDULE`` names a row of ``clozapine_schedules.csv``; without it the UK schedule holds. It is read
once, when the program starts: the features, the model trained on them and the care gaps then follow one schedule.
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from functools import cache

from features.errors import SettingsError
from features.reference.files import ReferenceTableError, is_unverified, read_rows

SETTING = "UPSTREAM_CLOZAPINE_SCHEDULE"
DEFAULT = "uk_current"
REGISTER_DAYS = {"weekly": 7, "fortnightly": 14, "four_weekly": 28, "twelve_weekly": 84, "yearly": 365}
"""Days between blood counts by the interval that the register or the record gives (circumstance
``clozapine_interval``)."""
SET_BY_REGISTER = ("initiation", "maintenance", "treatment_break")
"""Phases whose interval the register may set; what an amber or red result asks for stands."""


@dataclass(frozen=True)
class ClozapineSchedule:
    """``rows`` names the file of its protocols, empty where they stand in ``monitoring_protocols.csv``; ``counted_by``
    is ``fbc`` (white cells and neutrophils) or ``anc`` (neutrophils alone)."""

    name: str
    label: str
    checked_on: dt.date
    rows: str
    counted_by: str
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)

    @property
    def in_words(self) -> str:
        return f"{self.label}, checked on {self.checked_on.isoformat()}"


@cache
def clozapine_schedules() -> dict[str, ClozapineSchedule]:
    """Every schedule by its name. Raises ReferenceTableError for a row that cannot be read."""
    found = {}
    for row in read_rows("clozapine_schedules"):
        name = row["schedule"]
        try:
            checked = dt.date.fromisoformat(row["checked_on"])
        except ValueError:
            raise ReferenceTableError(
                f"clozapine_schedules.csv: row {name}: checked_on must be a date such as 2026-01-13"
            ) from None
        if row["counted_by"] not in ("fbc", "anc"):
            raise ReferenceTableError(f"clozapine_schedules.csv: row {name}: counted_by must be fbc or anc")
        found[name] = ClozapineSchedule(name, row["label"], checked, row["rows"], row["counted_by"], row["source"])
    return found


@cache
def clozapine_schedule() -> ClozapineSchedule:
    """The schedule in force. Raises SettingsError where the setting names none."""
    name = os.environ.get(SETTING) or DEFAULT
    found = clozapine_schedules().get(name)
    if found is None:
        raise SettingsError(f"{SETTING} names no schedule; write one of {', '.join(sorted(clozapine_schedules()))}")
    return found
