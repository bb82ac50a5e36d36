"""Medicine courses of a person, by name: the algorithm of :mod:`features.kernels.regimen` in plain Python, with the
same conventions.

The numbers of the regimen decide whether a gap fires; these names say which medicines they count. A property test
checks that the two agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from features.kernels.coverage import COURSE_GAP_DAYS, carried
from features.kernels.regimen import CURRENT_GRACE_DAYS
from features.reference import Medicine

SIDES = ("trust", "gp")


class Course:
    """One medicine as a person has held it.

    ``start`` and ``end`` bound the latest course (``end`` is the first day its supply, carried over, no longer
    covers); ``past`` holds earlier courses. ``spans`` are the days covered lately as [begin, end). ``given`` holds a
    course's injections as (day, interval, row). ``doses`` are (day, mg a day) where it became known or changed.
    ``sides`` are (day, from, to) changes of prescriber between trust and GP.
    """

    __slots__ = (
        "doses",
        "end",
        "first_row",
        "first_start",
        "given",
        "injection",
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
        self.injection = medicine.is_long_acting_injection
        self.start = self.end = self.first_start = day
        self.first_row = row
        self.given: list[tuple[int, int, int]] = []
        self.past: list[tuple[int, int]] = []
        self.spans: list[tuple[int, int]] = []
        self.doses: list[tuple[int, float]] = []
        self.sides: list[tuple[int, int, int]] = []
        self.seen = [-(2**40), -(2**40)]
        self.last_side = -1
        self.required = False
        self.last_day, self.last_row = day, row

    def current(self, as_of: int) -> bool:
        """Whether the course is current: while its supply lasts and for 28 days after."""
        return as_of <= self.end + CURRENT_GRACE_DAYS

    @property
    def dose(self) -> float | None:
        """The latest known dose of this course, in mg a day."""
        return self.doses[-1][1] if self.doses and self.doses[-1][0] >= self.start else None

    def dose_on(self, day: int) -> float | None:
        """The dose known on a day, in mg a day."""
        known = [dose for on, dose in self.doses if on <= day]
        return known[-1] if known else None


_carried = carried.py_func  # the one rule of carry-over, without the compiler
KEPT_DAYS = 200
"""How far back covered days are kept."""


def walk(
    rows: Iterable[tuple[int, int, int, int, int, int, float, bool, int]], medicines: Sequence[Medicine], as_of: int
) -> list[Course]:
    """Courses from supplies in order of day: (row, day, known, until, length, medicine, mg a day, as required, side).
    Rows that are not visible, or that another row replaces, are left out."""
    held: dict[int, Course] = {}
    kept = as_of - KEPT_DAYS
    for row, day, known, until, length, place, dose, required, side in rows:
        if day >= as_of:
            break
        if known >= as_of or until < as_of:
            continue
        course = held.get(place)
        if course is None:
            course = held[place] = Course(medicines[place], day, row)
        elif day > course.end + COURSE_GAP_DAYS:
            course.past.append((course.start, course.end))
            course.start = course.end = day
            course.first_row = row
            course.given = []
        if day >= course.end:  # shortcut for the common case of nothing in hand, without calling the rule
            begin, end = day, day + length
        else:
            begin, end = _carried(day, course.end, length)
        course.end = end
        if end > kept:
            course.spans.append((begin, end))
        if course.injection:
            course.given.append((day, length, row))
        course.required = required
        course.last_day = day
        course.last_row = row
        if dose == dose and not (course.doses and course.doses[-1][1] == dose and course.doses[-1][0] >= course.start):
            course.doses.append((day, dose))
        if side >= 0:
            if course.last_side != side:
                if course.last_side >= 0:
                    course.sides.append((day, course.last_side, side))
                course.last_side = side
            course.seen[side] = day
    return list(held.values())


def by_base(courses: Iterable[Course]) -> dict[str, list[Course]]:
    """Courses grouped by medicine, whatever the form: an injection and a tablet of one medicine belong together."""
    found: dict[str, list[Course]] = {}
    for course in courses:
        found.setdefault(course.medicine.base, []).append(course)
    return found
