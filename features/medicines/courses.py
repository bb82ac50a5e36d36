"""Medicine courses of a person, by name: what :mod:`features.kernels.courses` finds, as values that rules read.

The numbers of the regimen decide whether a gap fires; these names say which medicines they count. Tests hold the two
together, and the compiled loop against a slow one in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.kept import kept
from features.kernels import courses as kernel
from features.kernels.regimen import CURRENT_GRACE_DAYS
from features.medicines.regimen import RegimenInputs
from features.records.days import NO_DAY
from features.reference import Medicine

SIDES = ("trust", "gp")
KEPT_DAYS = 200
"""How far back covered days are kept."""

_Rows = npt.NDArray[np.int64]


class _OfEach(NamedTuple):
    """Some values of the courses of many people, one course after the other, and where those of each course begin."""

    values: list[Any]
    bounds: list[int]

    @classmethod
    def where(cls, some: npt.NDArray[np.bool_], bounds: _Rows, *columns: npt.NDArray[Any]) -> _OfEach:
        """Tuples of the columns at some supplies; the supplies of each course begin at ``bounds``."""
        values = list(zip(*(column[some].tolist() for column in columns), strict=True))
        return cls(values, np.concatenate(([0], np.cumsum(some)))[bounds].tolist())

    def of(self, course: int) -> list[Any]:
        return self.values[self.bounds[course] : self.bounds[course + 1]]


class _SupplyRows:
    """What the visible supplies of some people did to their courses. Each list is made when a rule first reads it."""

    def __init__(self, columns: CourseColumns) -> None:
        self._columns = columns
        self._bounds = np.searchsorted(columns.course, np.arange(len(columns.numbers) + 1))
        self.rows, self.bounds = columns.supplies, self._bounds.tolist()

    @kept
    def _day(self) -> npt.NDArray[Any]:
        return self._columns.taking.day[self.rows]

    @kept
    def spans(self) -> _OfEach:
        span = self._columns.span
        lately = span[:, 1] > self._columns.as_of - KEPT_DAYS
        return _OfEach.where(lately, self._bounds, span[:, 0], span[:, 1])

    @kept
    def breaks(self) -> _OfEach:
        span, course = self._columns.span, self._columns.course
        broken = np.zeros(len(course), bool)
        broken[1:] = (course[1:] == course[:-1]) & (span[1:, 0] - span[:-1, 1] > CURRENT_GRACE_DAYS)
        ended = np.concatenate((span[:1, 1], span[:-1, 1]))
        return _OfEach.where(broken, self._bounds, ended, span[:, 0])

    @kept
    def past(self) -> _OfEach:
        past = self._columns.past
        return _OfEach.where(past[:, 1] != NO_DAY, self._bounds, past[:, 0], past[:, 1])

    @kept
    def doses(self) -> _OfEach:
        columns = self._columns
        return _OfEach.where(columns.new, self._bounds, self._day, columns.taking.dose_mg_a_day[self.rows])

    @kept
    def sides(self) -> _OfEach:
        columns = self._columns
        prescriber = columns.taking.prescriber[self.rows]
        return _OfEach.where(columns.side >= 0, self._bounds, self._day, columns.side, prescriber)


class Course:
    """One medicine as a person has held it, regularly or when needed (``required``): each is a course of its own.

    ``start`` and ``end`` bound the latest course (``end`` is the first day its supply, carried over, no longer
    covers); ``past`` holds earlier courses. ``spans`` are the days covered lately as [begin, end). ``doses`` are (day,
    mg a day) where it became known or changed. ``sides`` are (day, from, to) changes of prescriber between trust and
    GP. The lists are made when a rule first reads them.
    """

    def __init__(self, medicine: Medicine, numbers: Sequence[int], dose: float, rows: _SupplyRows, place: int) -> None:
        self.medicine = medicine
        self.injection = medicine.is_long_acting_injection
        (
            self.start,
            self.end,
            self.first_start,
            self.first_row,
            self.last_day,
            self.last_row,
            self.last_side,
            trust,
            gp,
            required,
            dose_day,
            _,
        ) = numbers
        self.seen = [trust, gp]
        self.required = required == 1
        self.dose = dose if dose == dose and dose_day >= self.start else None
        """The latest known dose of this course, in mg a day."""
        self._rows, self._place = rows, place

    def current(self, as_of: int) -> bool:
        """Whether the course is current: while its supply lasts and for 28 days after."""
        return as_of <= self.end + CURRENT_GRACE_DAYS

    @kept
    def spans(self) -> list[tuple[int, int]]:
        return self._rows.spans.of(self._place)

    @kept
    def breaks(self) -> list[tuple[int, int]]:
        """(day supply ran out, day it was supplied again), where the medicine was not current in between."""
        return self._rows.breaks.of(self._place)

    @kept
    def past(self) -> list[tuple[int, int]]:
        return self._rows.past.of(self._place)

    @kept
    def doses(self) -> list[tuple[int, float]]:
        return self._rows.doses.of(self._place)

    @kept
    def sides(self) -> list[tuple[int, int, int]]:
        return self._rows.sides.of(self._place)

    @property
    def supplies(self) -> _Rows:
        """Rows of its supplies that count, in order of day."""
        bounds = self._rows.bounds
        return self._rows.rows[bounds[self._place] : bounds[self._place + 1]]

    def dose_on(self, day: int) -> float | None:
        """The dose known on a day, in mg a day."""
        known = [dose for on, dose in self.doses if on <= day]
        return known[-1] if known else None


class CourseColumns(NamedTuple):
    """The courses of some people, one after the other, as columns; and the supplies they are made of."""

    as_of: int
    numbers: npt.NDArray[np.int64]
    """The numbers of each course (features/kernels/courses.py); the last is its person."""
    medicine: npt.NDArray[np.int64]
    dose: npt.NDArray[np.float64]
    supplies: _Rows
    """Rows of the supplies that count, in order of course, then of day."""
    course: npt.NDArray[np.int64]
    """The course of each of these rows."""
    span: npt.NDArray[np.int64]
    past: npt.NDArray[np.int64]
    side: npt.NDArray[np.int8]
    new: npt.NDArray[np.bool_]
    taking: RegimenInputs

    def number(self, field: int) -> npt.NDArray[np.int64]:
        """One number of every course, such as ``kernel.END``."""
        return self.numbers[:, field]

    def days_covered(self, start: int, end: int) -> npt.NDArray[np.int64]:
        """Days of [start, end) that each course covers."""
        begin, stop = self.span[:, 0], self.span[:, 1]
        if len(begin):  # in a course the days to which supply lasts never fall, so what is new begins at the one before
            same = self.course[1:] == self.course[:-1]
            begin = np.concatenate((begin[:1], np.where(same, np.maximum(begin[1:], stop[:-1]), begin[1:])))
        days = np.maximum(np.minimum(stop, end) - np.maximum(begin, start), 0)
        return np.bincount(self.course, days, len(self.numbers)).astype(np.int64)


def course_columns(taking: RegimenInputs, places: _Rows, as_of: int) -> CourseColumns:
    """Courses of each person at ``places`` as known at 00:00 of a day number, in order of each medicine's first supply.
    Rows that are not visible, or that another row replaces, are left out."""
    rows = rows_of_places(taking.offsets, places)
    size = len(rows)
    course, span, past = np.empty(size, np.int64), np.empty((size, 2), np.int64), np.empty((size, 2), np.int64)
    side, new = np.empty(size, np.int8), np.empty(size, np.bool_)
    numbers, names, doses = kernel.courses_kernel(
        taking.offsets,
        taking.day,
        taking.known,
        taking.until,
        taking.length,
        taking.medicine,
        taking.dose_mg_a_day,
        taking.as_required,
        taking.prescriber,
        places,
        as_of,
        course,
        span,
        past,
        side,
        new,
    )
    order = np.argsort(course, kind="stable")
    order = order[np.searchsorted(course[order], 0) :]
    return CourseColumns(
        as_of,
        numbers,
        names,
        doses,
        rows[order],
        course[order],
        span[order],
        past[order],
        side[order],
        new[order],
        taking,
    )


def courses_of(columns: CourseColumns, people: int, medicines: Sequence[Medicine]) -> list[list[Course]]:
    """The same courses as values, a list for each of the people."""
    rows = _SupplyRows(columns)
    found: list[list[Course]] = [[] for _ in range(people)]
    each = zip(columns.numbers.tolist(), columns.medicine.tolist(), columns.dose.tolist(), strict=True)
    for place, (numbers, name, dose) in enumerate(each):
        found[numbers[-1]].append(Course(medicines[name], numbers, dose, rows, place))
    return found


def rows_of_places(offsets: npt.NDArray[np.int64], places: _Rows) -> _Rows:
    """Positions of all rows of the people at ``places``, person after person."""
    if len(places) == 1:
        return np.arange(offsets[places[0]], offsets[places[0] + 1])
    counts = offsets[places + 1] - offsets[places]
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(offsets[places] - (ends - counts), counts)


def first_of_each(courses: Iterable[Course]) -> list[Course]:
    """One course of each medicine: of two, regular and when needed, the one that began first."""
    found: dict[str, Course] = {}
    for course in courses:
        kept_one = found.get(course.medicine.name)
        if kept_one is None or course.start < kept_one.start:
            found[course.medicine.name] = course
    return list(found.values())


def by_base(courses: Iterable[Course]) -> dict[str, list[Course]]:
    """Courses grouped by medicine, whatever the form: an injection and a tablet of one medicine belong together."""
    found: dict[str, list[Course]] = {}
    for course in courses:
        found.setdefault(course.medicine.base, []).append(course)
    return found
