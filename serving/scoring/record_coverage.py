"""What a worklist shows about a person's record besides scores: its length, missing sources, last seen, next booked.

Everything reads both clocks: a row counts on ``as_of`` only if it happened and became known before that day.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features import Records
from features.kept import kept
from features.kernels.lookups import ends
from features.medicines.supply_days import supplies_once
from features.records import NO_DAY, TABLES
from features.records.attendance import attended

SHORT_HISTORY_DAYS = 90
HISTORY_TABLES = ("referrals", "contacts", "supplies", "results", "stays")
EXPECTED_SOURCES = ("referrals", "contacts", "supplies", "results")
"""Tables that hold something for nearly everybody on a caseload, so an empty one is worth reporting. Most people have
no stay.
"""

STALE_AFTER_DAYS = {"contacts": 90, "supplies": 90, "results": 400}
"""Days after which a source counts as stale: a quarter without contact or supply, and a yearly check
with a month to spare.

Our own choice, not from a guideline. A referral is never stale: an open one of three years ago still holds.
"""

Days = npt.NDArray[np.int32]


class History:
    """What is known of everybody in ``records`` on ``as_of_day`` (days since 1970-01-01): shape (people,) each, in the
    order of ``records.patient_ids``; days are int32, ``NO_DAY`` where there is none.

    ``missing`` maps each expected source to a mask of people with no known row in it, ``last_day`` to the day of the
    latest known row.
    """

    def __init__(self, records: Records, as_of_day: int) -> None:
        self._records, self._as_of = records, as_of_day
        self.missing: dict[str, npt.NDArray[np.bool_]] = {}
        self.last_day: dict[str, Days] = {}
        self.first_day = np.full(len(records), NO_DAY, dtype=np.int32)
        for name in HISTORY_TABLES:
            columns = records.columns(name)
            every = np.ones(len(columns["known_on"]), bool)
            if name == "supplies":
                every = supplies_once(records).undone >= as_of_day
            began, last = _ends(records, name, columns["known_on"], every, as_of_day)
            self.first_day = np.minimum(self.first_day, began)
            if name in EXPECTED_SOURCES:
                self.last_day[name], self.missing[name] = last, last == NO_DAY

    @kept
    def last_seen(self) -> Days:
        """Last attended contact by the definition of docs/clinical.md section 2.1: with the person, face to face, by
        video or telephone.
        """
        contacts = self._records.columns("contacts")
        return _ends(self._records, "contacts", contacts["outcome_known_on"], attended(contacts), self._as_of)[1]

    @kept
    def next_booked(self) -> Days:
        records, as_of_day = self._records, self._as_of
        contacts = records.columns("contacts")
        day = contacts["contact_on"]
        undecided = (contacts["outcome"] == _code("outcome", "planned")) | (contacts["outcome_known_on"] >= as_of_day)
        ahead = (day >= as_of_day) & (day != NO_DAY) & (contacts["known_on"] < as_of_day) & undecided
        soonest = np.full(len(records), NO_DAY, dtype=np.int32)
        np.minimum.at(soonest, records.tables["contacts"].patient[ahead], day[ahead])
        return soonest

    def sources(self, person: int, as_of_day: int) -> list[dict[str, Any]]:
        """Age of each source for one person: days since its latest known row (None if there is none), and whether it
        is stale.
        """
        ages = {
            name: None if (day := int(last[person])) == NO_DAY else as_of_day - day
            for name, last in self.last_day.items()
        }
        return [
            {"source": name, "age_days": age, "stale": age is not None and age > STALE_AFTER_DAYS.get(name, age)}
            for name, age in ages.items()
        ]

    def days(self, person: int, as_of_day: int) -> int | None:
        """Length of the person's record in days, None if nothing is known before ``as_of``."""
        first = int(self.first_day[person])
        return None if first == NO_DAY else as_of_day - first


def _ends(records: Records, table: str, known: Days, keep: npt.NDArray[np.bool_], as_of_day: int) -> tuple[Days, Days]:
    """Shape (people,) each: the earliest and the latest day of the kept and known rows."""
    first, last = np.empty(len(records), np.int32), np.empty(len(records), np.int32)
    event = records.columns(table)[str(TABLES[table].event_day)]
    ends(records.offsets(table), event, known, keep, as_of_day, first, last)
    return first, last


@cache
def _code(column: str, value: str) -> int:
    return TABLES["contacts"].column(column).values.index(value)
