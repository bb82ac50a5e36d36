"""Finds overdue care that was recently done: the blood count, injection, supply or review after its due day.

A closed gap is no longer found. The person who booked the care can see here that it was done, and in which row.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from features.gaps.gap import Evidence
from features.gaps.person_view import YEAR, PersonAsKnown, meeting
from features.gaps.rules.engagement.contact import SILENT_DAYS
from features.gaps.rules.monitoring.clozapine import BREAK_DAYS, breaks
from features.gaps.rules.supply.oral import GAP_DAYS, classes
from features.monitoring import due_dates
from features.records.days import NO_DAY
from features.reference import PROTOCOLS, TESTS

CLOSED_DAYS = 14
"""Days for which a closing is shown: as many as due care is shown ahead."""
_CODES = {
    ("clozapine", "fbc"): "CLZ_FBC_OVERDUE",
    ("clozapine", "clozapine_level"): "CLZ_LEVEL_SMOKING",
    ("lithium", "lithium_level"): "LI_LEVEL_OVERDUE",
    **{("lithium", test): "LI_RENAL_THYROID_CALCIUM" for test in ("egfr", "u_and_e", "tft", "calcium")},
}


class Closing(NamedTuple):
    """The gap's ``code``, what closed it in words, and its row. ``late`` is the number of days after the due day."""

    code: str
    what: str
    row: Evidence
    late: int


def closings(person: PersonAsKnown) -> list[Closing]:
    """What closed overdue care of a person in the last 14 days, the newest first; each code and row once."""
    found = [*_checks(person), *_injections(person), *_clozapine(person), *_review(person)]
    found += [*_supply(person), *_contact(person), *_allergy(person)]
    first: dict[tuple[str, int], Closing] = {}
    for one in sorted(found, key=lambda one: (-one.row.on, -one.late, one.code)):
        first.setdefault((one.code, one.row.on), one)
    return list(first.values())


def _checks(person: PersonAsKnown) -> Iterator[Closing]:
    """A recent result that came later than the interval and grace days after the previous result."""
    scheduled, row = person.schedule
    since = person.as_of - CLOSED_DAYS
    for place in person.shard.met_since(since)[person.who]:
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
    held = [c for c in person.reviews if c.kind == "medicines_review"]
    if len(held) > 1 and held[-1].day >= person.as_of - CLOSED_DAYS and held[-1].day - held[-2].day > YEAR:
        evidence = Evidence("contacts", held[-1].row, held[-1].day, "medicines review")
        yield Closing("MEDICINES_REVIEW_OVERDUE", "medicines review", evidence, held[-1].day - held[-2].day - YEAR)


def _supply(person: PersonAsKnown) -> Iterator[Closing]:
    """A class of medicines supplied again after at least two weeks outside hospital without supply.
    Clozapine and injections have closings of their own."""
    since = person.as_of - CLOSED_DAYS
    for courses in classes(person).values():
        if all(course.last_day < since for course in courses):
            continue
        reached: int | None = None
        for begin, end, course in sorted(((b, e, c) for c in courses for b, e in c.spans), key=lambda one: one[:2]):
            gap = 0
            if reached is not None and begin > reached:
                gap = begin - reached - person.away_days(reached, begin)
            own = course.injection or course.medicine.base == "clozapine"
            if gap >= GAP_DAYS and begin >= since and not own:
                rows = [row for row in person.supplies_of(course.medicine.name, CLOSED_DAYS) if row.day == begin]
                if rows:
                    evidence = Evidence("supplies", rows[-1].row, begin, "supply")
                    yield Closing("SUPPLY_GAP_ORAL", f"{course.medicine.name} supplied", evidence, gap - GAP_DAYS)
            reached = end if reached is None else max(reached, end)


def _contact(person: PersonAsKnown) -> Iterator[Closing]:
    """Seen again after at least 90 days without an attended contact."""
    last = person.last_seen
    if last is None or len(person.seen) < 2 or last.day < person.as_of - CLOSED_DAYS:
        return
    silent = last.day - person.seen[-2]
    if silent >= SILENT_DAYS:
        evidence = Evidence("contacts", last.row, last.day, "attended contact")
        yield Closing("NO_CONTACT", "contact", evidence, silent - SILENT_DAYS)


def _allergy(person: PersonAsKnown) -> Iterator[Closing]:
    """Allergy status confirmed again after more than a year, or recorded for the first time."""
    rows = person.conditions["allergy"]
    if not rows or rows[-1][1] < person.as_of - CLOSED_DAYS:
        return
    row, day, _ = rows[-1]
    earlier = [one[1] for one in rows if one[1] < day]
    late = day - earlier[-1] - YEAR if earlier else 0
    if not earlier or late > 0:
        yield Closing(
            "ALLERGY_NOT_RECORDED", "allergy status", Evidence("conditions", row, day, "allergy status"), late
        )
