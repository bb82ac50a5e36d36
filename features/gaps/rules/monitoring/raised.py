"""Checks that a schedule asks for again after the dose was raised, as the notes of its rows say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from features.gaps.citations import protocol_row
from features.gaps.person_view import YEAR, Due, PersonAsKnown, scope_names
from features.medicines.courses import Course
from features.monitoring import due_dates
from features.records.days import NO_DAY
from features.reference import PROTOCOLS, Medicine, Protocol
from features.reference.files import ReferenceTableError

AGAIN = ("mp190", "mp193", "mp196", "mp197", "mp198", "mp199")
"""Blood pressure of venlafaxine and duloxetine, "after each dose increase"; liver function of agomelatine, "repeat
schedule after dose increase". Rows of a medicine are in order of day. Stimulants and atomoxetine name no day."""


def _days_after(row: Protocol) -> int:
    """The day after a rise on which a check is due. Raises ReferenceTableError for a single check without a day."""
    if row.interval_days is not None:
        return row.from_day + row.interval_days
    if row.to_day is None:
        raise ReferenceTableError(f"monitoring_protocols.csv: row {row.id}: a single check needs to_day")
    return row.to_day


_ROWS = tuple((row, _days_after(row)) for row in map(protocol_row, AGAIN))
_PLACES = {row.id: place for place, row in enumerate(PROTOCOLS)}
_ITEMS = {(item.scope, item.test): item for item in due_dates.items()}


def checked_again(medicine: Medicine) -> bool:
    return any(medicine.name in scope_names(row.scope) for row, _ in _ROWS)


def raised_on(course: Course) -> int | None:
    """The day on which the known dose of a course last rose."""
    doses = course.doses
    rises = (day for (_, before), (day, dose) in pairwise(doses) if dose > before and day > course.start)
    return max(rises, default=None)


def late_after_a_rise(person: PersonAsKnown) -> Iterator[Due]:
    """For each such check the first day missed since the dose was raised, past its grace. A result from the days of
    grace before its day meets it; with an interval, any result since the rise does [D]."""
    for course in person.current:
        if course.required or not checked_again(course.medicine):
            continue
        rise = raised_on(course)
        if rise is None:
            continue
        for row, days in _ROWS:
            if course.medicine.name not in scope_names(row.scope):
                continue
            last = person.last_met(row.test)
            done = NO_DAY if last is None else last.day
            due = rise + days
            met = done >= (due - row.grace_days if row.interval_days is None else rise)
            if not met and due + row.grace_days < person.as_of <= due + YEAR:
                yield Due(_ITEMS[row.scope, row.test], _PLACES[row.id], due, done, rise)
                break
