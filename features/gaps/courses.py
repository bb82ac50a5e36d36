"""The medicines a person holds, by name: the walk of :mod:`features.engine.taking` in plain Python, with the same conventions.

The numbers of the regimen decide whether a gap fires; these names say which medicines they count. A law in the tests holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable

from features.engine.supply import COURSE_GAP_DAYS
from features.engine.taking import CURRENT_GRACE_DAYS
from features.reference import Medicine

SIDES = ("trust", "gp")


class Course:
    """One medicine as a person has held it.

    ``start`` and ``end`` bound the latest course (``end`` is the first day its supply, carried over, no longer covers); ``past`` holds earlier
    courses. ``spans`` are the days covered as [begin, end). ``doses`` are (day, mg a day) where known. ``sides`` are (day, from, to) changes
    of prescriber between trust and GP.
    """

    __slots__ = (
        "changes",
        "doses",
        "end",
        "first_row",
        "first_start",
        "given",
        "last_day",
        "last_row",
        "last_side",
        "medicine",
        "past",
        "required",
        "seen",
        "sides",
        "spans",
        "start",
    )

    def __init__(self, medicine: Medicine, day: int, row: int) -> None:
        self.medicine = medicine
        self.start = self.end = self.first_start = day
        self.first_row = row
        self.given: list[tuple[int, int, int]] = []
        self.past: list[tuple[int, int]] = []
        self.spans: list[tuple[int, int]] = []
        self.doses: list[tuple[int, float]] = []
        self.changes: list[int] = []
        self.sides: list[tuple[int, int, int]] = []
        self.seen = [-(2**40), -(2**40)]
        self.last_side = -1
        self.required = False
        self.last_day, self.last_row = day, row

    def current(self, as_of: int) -> bool:
        """While its supply lasts and for 28 days after."""
        return as_of <= self.end + CURRENT_GRACE_DAYS

    @property
    def dose(self) -> float | None:
        """The latest dose known of this course, mg a day."""
        return self.doses[-1][1] if self.doses and self.doses[-1][0] >= self.start else None

    def dose_on(self, day: int) -> float | None:
        """The dose known on a day, mg a day."""
        known = [dose for on, dose in self.doses if on <= day]
        return known[-1] if known else None


def walk(rows: Iterable[tuple[int, int, int, Medicine, float, bool, int]]) -> list[Course]:
    """Courses from visible supplies in order of day: (row, day, length, medicine, mg a day, as required, side)."""
    held: dict[str, Course] = {}
    for row, day, length, medicine, dose, required, side in rows:
        course = held.get(medicine.name)
        if course is None:
            course = held[medicine.name] = Course(medicine, day, row)
        elif day > course.end + COURSE_GAP_DAYS:
            course.past.append((course.start, course.end))
            course.start = course.end = day
            course.first_row = row
            course.given = []
        begin = day if day > course.end else course.end
        course.end = begin + length
        course.spans.append((begin, course.end))
        course.given.append((day, length, row))
        course.required = required
        course.last_day, course.last_row = day, row
        if dose == dose:
            if course.doses and course.doses[-1][0] >= course.start and course.doses[-1][1] != dose:
                course.changes.append(day)
            course.doses.append((day, dose))
        if side >= 0:
            if course.last_side >= 0 and course.last_side != side:
                course.sides.append((day, course.last_side, side))
            course.last_side = side
            course.seen[side] = day
    return list(held.values())


def by_base(courses: Iterable[Course]) -> dict[str, list[Course]]:
    """Courses grouped by medicine, whatever the form: an injection and a tablet of one medicine are one."""
    found: dict[str, list[Course]] = {}
    for course in courses:
        found.setdefault(course.medicine.base, []).append(course)
    return found
