"""Compiled passes over whole columns. Most only check whether any value is wrong, without building a mask, because
usually none is.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.records.days import NO_DAY

OUT_OF_RANGE = 3
"""Returned by :func:`convert` for a value outside the limits of its test."""


@jit(_nrt=False)
def any_outside(days, first, last):
    """True if any given day is before the first or after the last."""
    found = False
    for i in range(days.shape[0]):
        found |= days[i] != NO_DAY and (days[i] < first or days[i] > last)
    return found


@jit(_nrt=False)
def any_before(days, others):
    """Whether a day lies before the corresponding day of the other column."""
    found = False
    for i in range(days.shape[0]):
        found |= days[i] < others[i]
    return found


@jit(_nrt=False)
def days_in_range(days, first, last, given, order):
    """Whether the days of a table (columns x rows) that are not missing lie from ``first`` to the ``last`` of their
    column, none is missing in the columns ``given``, and none lies before the day of the other column in the pairs
    ``order``; a missing day counts as the latest."""
    found = True
    for k in range(days.shape[0]):
        for i in range(days.shape[1]):
            found &= days[k, i] == NO_DAY or (days[k, i] >= first and days[k, i] <= last[k])
    for k in given:
        for i in range(days.shape[1]):
            found &= days[k, i] != NO_DAY
    for p in range(order.shape[0]):
        for i in range(days.shape[1]):
            found &= days[order[p, 0], i] <= days[order[p, 1], i]
    return found


@jit(_nrt=False)
def numbers_in_range(numbers, low, high):
    """Whether all numbers of a table (columns x rows) that are given lie from the ``low`` to the ``high`` of their
    column."""
    found = True
    for k in range(numbers.shape[0]):
        for i in range(numbers.shape[1]):
            found &= not (numbers[k, i] < low[k] or numbers[k, i] > high[k])
    return found


@jit(_nrt=False)
def holds(values, wanted):
    """Whether a value is anywhere in a column."""
    found = False
    for i in range(values.shape[0]):
        found |= values[i] == wanted
    return found


@jit(_nrt=False)
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


@jit(_nrt=False)
def any_alike(patient, day, known):
    """Whether a row has the patient and days of the row before it."""
    found = False
    for i in range(1, patient.shape[0]):
        found |= patient[i] == patient[i - 1] and day[i] == day[i - 1] and known[i] == known[i - 1]
    return found


@jit(_nrt=False)
def mark_groups(order, patient, day, known, begins):
    """Clears ``begins`` of each row in ``order`` that has the patient and days of the row before it; returns whether
    there is any."""
    found = False
    for i in range(1, order.shape[0]):
        row, last = order[i], order[i - 1]
        begins[i] = patient[row] != patient[last] or day[row] != day[last] or known[row] != known[last]
        found |= not begins[i]
    return found


@jit(_nrt=False)
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


@jit(_nrt=False)
def order_few(order, begins, keys):
    """Sorts the rows of each group within ``order`` by their ``keys`` (columns x rows of the table) in turn, NaN last,
    in place; equal rows keep their order. ``begins`` marks the first row of each group. Returns whether any two rows of
    a group are equal in all."""
    tied, first = False, 0
    for i in range(1, order.shape[0]):
        if begins[i]:
            first = i
            continue
        row, j = order[i], i
        while j > first:
            before = 0
            for k in range(keys.shape[0]):
                mine, other = keys[k, row], keys[k, order[j - 1]]
                if mine == other or (mine != mine and other != other):
                    continue
                before = 1 if mine < other or other != other else -1
                break
            if before < 1:
                tied |= before == 0
                break
            order[j] = order[j - 1]
            j -= 1
        order[j] = row
    return tied


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


@jit(_nrt=False)
def mix(key, values):
    """Adds one more column (uint64) to the hash of each row, in place."""
    for i in range(key.shape[0]):
        x = (key[i] ^ values[i]) * np.uint64(0x9E3779B97F4A7C15)
        key[i] = x ^ (x >> np.uint64(29))


@jit(_nrt=False)
def lay(together, cursor, data, begin, end):
    """Copies ``data[begin[p]:end[p]]`` to ``together[cursor[p]:]`` for each person, and moves their cursor on."""
    for p in range(begin.shape[0]):
        for i in range(end[p] - begin[p]):
            together[cursor[p] + i] = data[begin[p] + i]
        cursor[p] += end[p] - begin[p]
