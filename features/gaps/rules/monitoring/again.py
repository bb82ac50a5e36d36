"""Checks that a schedule asks for again: after the dose was raised, as the notes of its rows say, and after a change to
another antipsychotic, because days count from the current course of the medicine (docs/clinical.md section 0).

The schedule itself counts the checks of the class from the first of its medicines.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from features.gaps.citations import protocol_row
from features.gaps.person_view import YEAR, Due, PersonAsKnown, scope_names
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.monitoring import due_dates
from features.monitoring.applicability import UNCONDITIONAL
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

CLASS = "antipsychotic_any_except_clozapine"
CLASS_NAMES = scope_names(CLASS)
_FIRST_CHECKS = tuple(
    row for row in PROTOCOLS if row.scope == CLASS and row.phase == "initiation" and row.applies_if in UNCONDITIONAL
)
LAST_FIRST_CHECK = max(_days_after(row) for row in _FIRST_CHECKS)
"""The day of the last check that the start of an antipsychotic asks for."""


def checked_again(medicine: Medicine) -> bool:
    return any(medicine.name in scope_names(row.scope) for row, _ in _ROWS)


def of_class(medicine: Medicine) -> bool:
    return medicine.name in CLASS_NAMES


def raised_on(course: Course) -> int | None:
    """The day on which the known dose of a course last rose."""
    doses = course.doses
    rises = (day for (_, before), (day, dose) in pairwise(doses) if dose > before and day > course.start)
    return max(rises, default=None)


def late_after_a_rise(person: PersonAsKnown) -> Iterator[tuple[Due, Course]]:
    """For each such check, with its course, the first day missed since the dose was raised, past its grace. A result
    from the days of grace before its day meets it; with an interval, any result since the rise does [D]."""
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
            enough = due - row.grace_days if row.interval_days is None else rise
            if (last is None or done < enough) and due + row.grace_days < person.as_of <= due + YEAR:
                yield Due(_ITEMS[row.scope, row.test], _PLACES[row.id], due, done, rise), course
                break


def begun_on(person: PersonAsKnown, course: Course) -> int:
    """The day on which a person began the substance of a course, whether by mouth or by injection."""
    same = [one for one in person.courses if one.medicine.base == course.medicine.base]
    start = course.start
    for one in sorted(same, key=lambda one: one.start, reverse=True):
        if one.start < start <= one.end + COURSE_GAP_DAYS:
            start = one.start
    return start


def late_after_a_change(person: PersonAsKnown) -> Iterator[tuple[Due, Course]]:
    """The checks of the first weeks of an antipsychotic (weekly weights, the check at 12 weeks) that are late for one
    that was begun while or after another was taken; each with the course that asks for it.

    [D]: a weekly weight is late once a whole week more was missed. Clozapine has a schedule of its own, a medicine
    taken when needed asks for nothing, and the same substance by another route is no change. Yearly checks stay as
    they were.
    """
    if sum(of_class(course.medicine) for course in person.courses) < 2:
        return
    t = person.as_of
    for course in person.current:
        if course.required or not of_class(course.medicine):
            continue
        began = begun_on(person, course)
        if t - began > LAST_FIRST_CHECK + YEAR:
            continue
        for row in _FIRST_CHECKS:
            last = person.last_met(row.test)
            done = NO_DAY if last is None else last.day
            if row.interval_days is None:
                due = began + _days_after(row)
                late = last is None or done < began + row.from_day - row.grace_days
            else:
                since = began + row.from_day
                due = (since if last is None else max(done, since)) + row.interval_days
                late = row.to_day is not None and due + row.interval_days < t <= began + row.to_day
            if late and due + row.grace_days < t:
                yield Due(_ITEMS[row.scope, row.test], _PLACES[row.id], due, done, began), course
