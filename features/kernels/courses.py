"""The compiled loop over supplies that finds each person's medicine courses.

The conventions are those of :mod:`features.kernels.regimen`: a course ends after more than 90 days without supply, and
supply in hand is carried over. What is taken when needed is a course of its own beside the regular one.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.coverage import COURSE_GAP_DAYS, carried
from features.records.days import NO_DAY

START, END, FIRST_START, FIRST_ROW, LAST_DAY, LAST_ROW, LAST_SIDE, SEEN_TRUST, SEEN_GP, REQUIRED, DOSE_DAY, WHO = range(
    12
)
"""Columns of the numbers of one course."""
NEVER = -(2**40)


@jit()
def courses_kernel(
    offsets, day, known, until, length, medicine, dose, required, prescriber, person, t, course, span, past, side, new
):
    """Courses of each person as known at 00:00 of day ``t``, in order of their medicine's first supply.

    Fills, for each visible row ``k`` of the people in turn: ``course[k]`` (its course, counted over all people; -1 for
    a row that is not visible), ``span[k]`` (first day covered, first day no longer covered), ``past[k]`` (bounds of
    the earlier course that the row ended, NO_DAY if none), ``side[k]`` (the prescriber before, -1 where it did not
    change) and ``new[k]`` (the dose became known or changed). Returns the numbers of each course, its medicine and its
    dose.
    """
    numbers = np.empty((course.shape[0], 12), np.int64)
    names = np.empty(course.shape[0], np.int64)
    doses = np.full(course.shape[0], np.nan)
    count = 0
    k = -1
    for p in range(person.shape[0]):
        first = count
        for i in range(offsets[person[p]], offsets[person[p] + 1]):
            k += 1
            course[k], past[k, 0], past[k, 1], side[k], new[k] = -1, NO_DAY, NO_DAY, -1, False
            if day[i] >= t or known[i] >= t or until[i] < t:
                continue
            c = first
            while c < count and (names[c] != medicine[i] or numbers[c, REQUIRED] != required[i]):
                c += 1
            if c == count:
                count += 1
                names[c], numbers[c, REQUIRED] = medicine[i], required[i]
                numbers[c, START] = numbers[c, END] = numbers[c, FIRST_START] = day[i]
                numbers[c, FIRST_ROW], numbers[c, LAST_SIDE], numbers[c, WHO] = i, -1, p
                numbers[c, SEEN_TRUST] = numbers[c, SEEN_GP] = numbers[c, DOSE_DAY] = NEVER
            elif day[i] > numbers[c, END] + COURSE_GAP_DAYS:
                past[k, 0], past[k, 1] = numbers[c, START], numbers[c, END]
                numbers[c, START] = numbers[c, END] = day[i]
                numbers[c, FIRST_ROW] = i
            begin, end = carried(np.int64(day[i]), numbers[c, END], np.int64(length[i]))
            numbers[c, END] = end
            course[k], span[k, 0], span[k, 1] = c, begin, end
            numbers[c, LAST_DAY], numbers[c, LAST_ROW] = day[i], i
            if not np.isnan(dose[i]) and not (doses[c] == dose[i] and numbers[c, DOSE_DAY] >= numbers[c, START]):
                doses[c], numbers[c, DOSE_DAY], new[k] = dose[i], day[i], True
            if prescriber[i] >= 0:
                if numbers[c, LAST_SIDE] != prescriber[i]:
                    side[k] = numbers[c, LAST_SIDE]
                    numbers[c, LAST_SIDE] = prescriber[i]
                numbers[c, SEEN_TRUST + prescriber[i]] = day[i]
    return numbers[:count], names[:count], doses[:count]
