"""Compiled loops of the schedule: courses from supplies, the latest result of each test, and the due day of every
item.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.bitsets import bits_set, lowest_bit
from features.kernels.coverage import carried
from features.parts import part
from features.records.days import NO_DAY

FOREVER = 10**6
"""Longer than any course."""
EVENT_LAPSES_DAYS = 90
"""A check that an event asked for and that was never done lapses this long after its phase [D]."""
APPLIES, DOES_NOT, CANNOT_ASSESS = 1, 0, -1
DAYS_PAST_DUE, TESTS_DUE, TESTS_OVERDUE, TESTS_UNSURE, COMPLETE_SHARE, BLOOD_COLOUR = range(6)


@jit(_nrt=False)
def courses_kernel(offsets, day, known, until, length, bits, gap, person, as_of, start, end):
    """Fills ``start`` and ``end`` (rows x scopes) of the latest course; NO_DAY if nothing of the scope was supplied.

    A new course starts after more than ``gap[s]`` days without supply. ``end`` is the first day that supply no longer
    covers.
    """
    scopes = gap.shape[0]
    for r in range(person.shape[0]):
        t = as_of[r]
        for s in range(scopes):
            start[r, s] = NO_DAY
            end[r, s] = NO_DAY
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= t:
                break
            if known[i] >= t or until[i] < t:
                continue
            mask = bits[i]
            while mask != 0:
                s = lowest_bit(mask)
                mask &= mask - np.uint64(1)
                if start[r, s] == NO_DAY or day[i] > end[r, s] + gap[s]:
                    start[r, s] = day[i]
                    end[r, s] = day[i]
                end[r, s] = carried(day[i], end[r, s], length[i])[1]


@jit(_nrt=False)
def latest_kernel(offsets, day, known, bits, person, as_of, last):
    """Fills ``last`` (rows x tests) with the day of the latest visible result, NO_DAY if there is none."""
    for r in range(person.shape[0]):
        last[r, :] = NO_DAY
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= as_of[r]:
                break
            if known[i] >= as_of[r]:
                continue
            mask = bits[i]
            while mask != 0:
                last[r, lowest_bit(mask)] = day[i]
                mask &= mask - np.uint64(1)


@part()
def _chained(rows, applies, j, last_row):
    """Whether an interval row that applies continues on the day after row ``j`` ends."""
    for k in range(last_row):
        if rows[k, 2] >= 0 and rows[k, 0] == rows[j, 1] + 1 and rows[k, 5] < 0 and applies[rows[k, 4]] == APPLIES:
            return True
    return False


@part()
def _due(rows, places, first, last_row, today, start, ended, result, from_start, applies, events):
    """Due day, protocol position and whether anything could not be assessed, for one item of one person.

    ``rows`` are (from, to, interval or -1, grace, condition, event or -1). ``result`` is the day of the latest result
    or NO_DAY. ``from_start`` means that only results of the course set the next due date (a person scope takes any
    result). Once the course has ``ended``, only items that an event asked for remain, and those without an end of
    their own lapse too.
    """
    due, fired, unsure = FOREVER, -1, False
    for j in range(first, last_row):
        anchor = start if rows[j, 5] < 0 else events[rows[j, 5]]
        if anchor == NO_DAY or (ended and rows[j, 5] < 0):
            continue
        day = today - anchor
        begin, stop, interval, grace = rows[j, 0], rows[j, 1], rows[j, 2], rows[j, 3]
        lapse = stop if rows[j, 5] < 0 else (0 if ended and stop >= FOREVER else stop) + EVENT_LAPSES_DAYS
        if day < begin or (rows[j, 5] >= 0 and day > lapse):
            continue
        if applies[rows[j, 4]] != APPLIES:
            inside = day <= stop or interval < 0
            unsure = unsure or (applies[rows[j, 4]] == CANNOT_ASSESS and inside)
            continue
        since = -2 * FOREVER if result == NO_DAY else result - anchor
        if interval < 0:
            if since < begin - grace and anchor + stop < due:
                due, fired = anchor + stop, places[j]
            continue
        if since < 0 and (result == NO_DAY or from_start):
            # the start of the course stands in for a result: a check removed is never asked for later
            mine = max(min(begin, 1) + interval, begin) if from_start else begin + interval
        else:
            mine = max((max(since, min(begin, 1)) if from_start else since) + interval, begin)
        if mine > stop:
            continue
        chained = rows[j, 5] < 0 and _chained(rows[first:last_row], applies, j - first, last_row - first)
        # keep the earliest: the next phase's own due date is always later than a check that fell due in this phase
        if (day <= lapse or chained) and anchor + mine < due:
            due, fired = anchor + mine, places[j]
    return due, fired, unsure


@jit(_nrt=False)
def due_kernel(heads, rows, places, start, end, after, last, from_start, applies, events, as_of, due, fired, unsure):
    """Fills ``due``, ``fired`` and ``unsure`` (rows x items). ``after[s]`` is how many days past ``end`` a course
    still counts; the last column of ``heads`` marks items that follow a stop."""
    for r in range(as_of.shape[0]):
        for item in range(heads.shape[0]):
            s, test = heads[item, 0], heads[item, 1]
            due[r, item], fired[r, item], unsure[r, item] = NO_DAY, -1, False
            ended = as_of[r] > end[r, s] + after[s]
            if start[r, s] == NO_DAY or (ended and not heads[item, 4]):
                continue
            found, place, doubt = _due(
                rows,
                places,
                heads[item, 2],
                heads[item, 3],
                as_of[r],
                start[r, s],
                ended,
                last[r, test],
                from_start[s],
                applies[r],
                events[r],
            )
            unsure[r, item] = doubt
            if place >= 0:
                due[r, item], fired[r, item] = found, place


@jit()
def verbs_kernel(
    due, fired, unsure, counted, colour, grace, test_of, verbs, first, readers, as_of, out_row, columns, out
):
    """Features of the schedule. Item ``i`` is read by the features ``readers[first[i]:first[i + 1]]``; a test in two
    items of one feature counts once.

    ``test_of`` gives the test of each item, below 64; ``grace`` the days of each protocol. A person has few of the
    many items, and only those are read.
    """
    features = verbs.shape[0]
    asked, hit = np.zeros(features, np.uint64), np.zeros(features, np.uint64)
    earliest = np.zeros(features, np.int64)
    for r in range(as_of.shape[0]):
        t = as_of[r]
        asked[:] = 0
        hit[:] = 0
        earliest[:] = NO_DAY
        for i in range(test_of.shape[0]):
            scheduled = fired[r, i] >= 0
            if not scheduled and not unsure[r, i]:
                continue
            test = np.uint64(1) << np.uint64(test_of[i])
            is_due = scheduled and due[r, i] <= t
            overdue = scheduled and t > due[r, i] + grace[fired[r, i]]
            for k in readers[first[i] : first[i + 1]]:
                if scheduled:
                    asked[k] |= test
                    earliest[k] = min(earliest[k], due[r, i])
                    if verbs[k] != TESTS_UNSURE and (overdue or (verbs[k] == TESTS_DUE and is_due)):
                        hit[k] |= test
                elif verbs[k] == TESTS_UNSURE:
                    hit[k] |= test
        for k in range(features):
            verb = verbs[k]
            x = np.nan
            if verb == BLOOD_COLOUR:
                if counted[r]:
                    x = colour[r]
            elif verb == DAYS_PAST_DUE:
                if earliest[k] != NO_DAY:
                    x = t - earliest[k]
            elif verb == TESTS_UNSURE:
                x = bits_set(hit[k])
            elif asked[k] != 0:
                x = bits_set(hit[k])
                if verb == COMPLETE_SHARE:
                    x = 1 - x / bits_set(asked[k])
            out[out_row[r], columns[k]] = x
