"""What closed overdue care lately: the count, the injection, the supply or the review that came after its due day.

A gap that is closed is not found any more. Who booked it wants to see that it was done, and by which row.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from features.gaps.gap import Evidence
from features.gaps.person_view import YEAR, PersonAsKnown, meeting
from features.gaps.rules.monitoring.clozapine import BREAK_DAYS, breaks
from features.monitoring import due_dates
from features.records.days import NO_DAY
from features.reference import PROTOCOLS, TESTS

CLOSED_DAYS = 14
"""A closing is shown for as long as what falls due is shown ahead."""
_CODES = {
    ("clozapine", "fbc"): "CLZ_FBC_OVERDUE",
    ("clozapine", "clozapine_level"): "CLZ_LEVEL_SMOKING",
    ("lithium", "lithium_level"): "LI_LEVEL_OVERDUE",
    **{("lithium", test): "LI_RENAL_THYROID_CALCIUM" for test in ("egfr", "u_and_e", "tft", "calcium")},
}


class Closing(NamedTuple):
    """The gap's ``code``, what closed it in words, and its row; ``late`` days after it was due."""

    code: str
    what: str
    row: Evidence
    late: int


def closings(person: PersonAsKnown) -> list[Closing]:
    """What closed overdue care of a person in the last 14 days, the newest first; each code and row once."""
    found = [*_checks(person), *_injections(person), *_clozapine(person), *_review(person)]
    first: dict[tuple[str, int], Closing] = {}
    for one in sorted(found, key=lambda one: (-one.row.on, -one.late, one.code)):
        first.setdefault((one.code, one.row.on), one)
    return list(first.values())


def _checks(person: PersonAsKnown) -> Iterator[Closing]:
    """A result of the last days that came after the interval, and the grace, of the one before it."""
    if person.schedule is None:
        return
    scheduled, row = person.schedule
    since = person.as_of - CLOSED_DAYS
    recent = (scheduled.protocol[row] >= 0) & (scheduled.last[row] >= since) & (scheduled.last[row] != NO_DAY)
    for place in np.flatnonzero(recent).tolist():
        item, protocol = due_dates.items()[place], PROTOCOLS[int(scheduled.protocol[row, place])]
        if protocol.interval_days is None:
            continue
        last, limit = int(scheduled.last[row, place]), protocol.interval_days + protocol.grace_days
        if (item.scope, item.test) == due_dates.CLOZAPINE_COUNT and scheduled.situation.by_register[row]:
            limit = int(scheduled.situation.recorded_interval[0][row])
        rows = [one for test in meeting(item.test) for one in person.results.get(test, ())]
        before = max((day for day, _, _ in rows if day < last), default=None)
        begun = max(int(scheduled.start[row, place]), before if before is not None else NO_DAY - 2**32)
        if last - begun > limit:
            met = next(one for one in rows if one[0] == last)
            code = _CODES.get((item.scope, item.test), "MONITORING_OVERDUE")
            evidence = Evidence("results", met[2], last, TESTS[item.test].label)
            yield Closing(code, TESTS[item.test].label, evidence, last - begun - limit)


def _injections(person: PersonAsKnown) -> Iterator[Closing]:
    given = [one for one in person.injections if one.given]
    for before, last in pairwise(given):
        late = last.day - before.day - before.length
        if late > 0 and last.day >= person.as_of - CLOSED_DAYS and last.medicine == before.medicine:
            yield Closing(
                "LAI_OVERDUE", last.medicine.name, Evidence("supplies", last.row, last.day, "injection"), late
            )


def _clozapine(person: PersonAsKnown) -> Iterator[Closing]:
    for ended, began, row in breaks(person):
        if began - ended > BREAK_DAYS and began >= person.as_of - CLOSED_DAYS:
            yield Closing("CLZ_BREAK", "clozapine supplied", Evidence("supplies", row, began, "supply"), began - ended)


def _review(person: PersonAsKnown) -> Iterator[Closing]:
    held = [c for c in person.contacts if c.attended and c.kind == "medicines_review"]
    if len(held) > 1 and held[-1].day >= person.as_of - CLOSED_DAYS and held[-1].day - held[-2].day > YEAR:
        evidence = Evidence("contacts", held[-1].row, held[-1].day, "medicines review")
        yield Closing("MEDICINES_REVIEW_OVERDUE", "medicines review", evidence, held[-1].day - held[-2].day - YEAR)
