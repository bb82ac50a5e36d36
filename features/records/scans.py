"""Compiled questions about whole columns, answered without a mask: nearly always nothing is wrong, and only then is it worth finding out where."""

from __future__ import annotations

from numba import njit

from features.records.days import NO_DAY


@njit(nogil=True, cache=True)
def any_outside(days, first, last):
    """Whether a day that is given lies before the first or after the last."""
    found = False
    for i in range(days.shape[0]):
        found |= days[i] != NO_DAY and (days[i] < first or days[i] > last)
    return found


@njit(nogil=True, cache=True)
def any_before(days, others):
    """Whether a day lies before the one beside it."""
    found = False
    for i in range(days.shape[0]):
        found |= days[i] < others[i]
    return found


@njit(nogil=True, cache=True)
def holds(values, wanted):
    """Whether a value is anywhere in a column."""
    found = False
    for i in range(values.shape[0]):
        found |= values[i] == wanted
    return found
