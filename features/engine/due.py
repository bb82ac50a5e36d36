"""The compiled loop of the schedule: courses from supplies, the latest results, and the due day of every item."""

from __future__ import annotations

import numpy as np
from numba import njit

from features.engine.supply import COURSE_GAP_DAYS
from features.records.days import NO_DAY

FOREVER = 10**6
"""Longer than any course."""


@njit(nogil=True, cache=True)
def _due(rows, places, first, last_row, day, last, counts):
    """Due day (counted from the course's start) and protocol position of one item, or (FOREVER, -1).

    ``day`` is today and ``last`` the latest result, both counted from the start; ``last`` is below -FOREVER where there is none, and
    ``counts`` says whether it can set the next due date (a result from before the course only meets a baseline).
    """
    due, fired = FOREVER, -1
    chained, carried = -FOREVER, FOREVER
    for j in range(first, last_row):
        start, stop, interval, grace = rows[j, 0], rows[j, 1], rows[j, 2], rows[j, 3]
        if interval < 0:
            if stop < due and last < start - grace and day >= start:
                due, fired = stop, places[j]
            continue
        if start != chained:
            carried = FOREVER
        chained = stop + 1
        if day < start or carried < FOREVER:
            continue
        mine = max(last + interval, start) if counts else start + interval
        if mine <= stop:
            follows = j + 1 < last_row and rows[j + 1, 2] >= 0 and rows[j + 1, 0] == stop + 1
            if day <= stop or follows:
                carried = mine
                if mine < due:
                    due, fired = mine, places[j]
    return due, fired


@njit(nogil=True, cache=True)
def schedule_kernel(
    supply_offsets,
    supply_day,
    supply_known,
    supply_length,
    supply_bits,
    result_offsets,
    result_day,
    result_known,
    result_bits,
    referral_offsets,
    referral_day,
    referral_known,
    of_person,
    n_tests,
    heads,
    rows,
    places,
    person,
    as_of,
    due,
    fired,
    last_result,
):
    """Fills ``due``, ``fired`` and ``last_result`` (rows x items) for each row of the spine."""
    n_scopes = of_person.shape[0]
    start = np.zeros(n_scopes, np.int64)
    end = np.zeros(n_scopes, np.int64)
    latest = np.zeros(n_tests, np.int64)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        start[:] = NO_DAY
        end[:] = -FOREVER
        latest[:] = -FOREVER
        for i in range(supply_offsets[who], supply_offsets[who + 1]):
            if supply_day[i] >= t:
                break
            if supply_known[i] >= t:
                continue
            mask = supply_bits[i]
            s = 0
            while mask != 0:
                if mask & np.uint64(1):
                    if start[s] == NO_DAY or supply_day[i] > end[s] + COURSE_GAP_DAYS:
                        start[s] = supply_day[i]
                        end[s] = supply_day[i]
                    end[s] = max(end[s], supply_day[i] + supply_length[i])
                mask = mask >> np.uint64(1)
                s += 1
        for i in range(referral_offsets[who], referral_offsets[who + 1]):
            if referral_day[i] < t and referral_known[i] < t:
                for s in range(n_scopes):
                    if of_person[s] and start[s] > referral_day[i]:
                        start[s] = referral_day[i]
                        end[s] = t
        for i in range(result_offsets[who], result_offsets[who + 1]):
            if result_day[i] >= t:
                break
            if result_known[i] >= t:
                continue
            mask = result_bits[i]
            s = 0
            while mask != 0:
                if mask & np.uint64(1):
                    latest[s] = result_day[i]
                mask = mask >> np.uint64(1)
                s += 1
        for item in range(heads.shape[0]):
            s, test = heads[item, 0], heads[item, 1]
            if latest[test] > -FOREVER:
                last_result[r, item] = latest[test]
            if start[s] == NO_DAY or t > end[s] + COURSE_GAP_DAYS:
                continue
            since, counts = -2 * FOREVER, False
            if latest[test] > -FOREVER:
                since = latest[test] - start[s]
                counts = since >= 0 or of_person[s]
            found, place = _due(rows, places, heads[item, 2], heads[item, 3], t - start[s], since, counts)
            if place >= 0:
                due[r, item] = start[s] + found
                fired[r, item] = place
