"""Compiled passes over whole columns. Most only check whether any value is wrong, without building a mask, because
usually none is.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.records.days import NO_DAY

OUT_OF_RANGE = 3
"""Returned by :func:`convert` for a value outside the limits of its test."""


@jit()
def any_outside(days, first, last):
    """True if any given day is before the first or after the last."""
    found = False
    for i in range(days.shape[0]):
        found |= days[i] != NO_DAY and (days[i] < first or days[i] > last)
    return found


@jit()
def any_before(days, others):
    """Whether a day lies before the corresponding day of the other column."""
    found = False
    for i in range(days.shape[0]):
        found |= days[i] < others[i]
    return found


@jit()
def holds(values, wanted):
    """Whether a value is anywhere in a column."""
    found = False
    for i in range(values.shape[0]):
        found |= values[i] == wanted
    return found


@jit()
def in_order(patient, day, known):
    """Whether rows ascend by patient, then day, then known day. A stored snapshot does and needs no sorting."""
    found = True
    for i in range(1, patient.shape[0]):
        if patient[i] != patient[i - 1]:
            found &= patient[i] > patient[i - 1]
        elif day[i] != day[i - 1]:
            found &= day[i] > day[i - 1]
        else:
            found &= known[i] >= known[i - 1]
    return found


@jit()
def order_groups(rows, ranks, begins):
    """Sorts the rows of each small group by their ranks, in place; equal ranks keep their order. ``begins`` marks the
    first row of each group, and afterwards the first of each group of equal ranks."""
    first = 0
    for i in range(1, rows.shape[0]):
        if begins[i]:
            first = i
            continue
        row, rank, j = rows[i], ranks[i], i
        while j > first and ranks[j - 1] > rank:
            rows[j], ranks[j] = rows[j - 1], ranks[j - 1]
            j -= 1
        rows[j], ranks[j] = row, rank
    for i in range(1, rows.shape[0]):
        begins[i] |= ranks[i] != ranks[i - 1]


@jit()
def convert(values, rows, kind, factor, offset, low, high, wrong):
    """Converts ``values[rows]`` in place, each by its ``kind`` of conversion; returns what is wrong, one int8 a value.

    0 is nothing, ``OUT_OF_RANGE`` a value that lies outside ``low`` to ``high`` once it is converted, and any other
    what ``wrong`` says of the kind: such a value is left as it was.
    """
    problem = np.zeros(values.shape[0], np.int8)
    for i in range(rows.shape[0]):
        row, k = rows[i], kind[i]
        if wrong[k] != 0:
            problem[row] = wrong[k]
            continue
        x = values[row] * factor[k] + offset[k]
        values[row] = x
        if x < low[k] or x > high[k]:
            problem[row] = OUT_OF_RANGE
    return problem


@jit()
def mix(key, values):
    """Adds one more column (uint64) to the hash of each row, in place."""
    for i in range(key.shape[0]):
        x = (key[i] ^ values[i]) * np.uint64(0x9E3779B97F4A7C15)
        key[i] = x ^ (x >> np.uint64(29))
