"""Compiled loops of the schedule: courses from supplies, the latest result of each test, and the due day of every
item.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.bitsets import bits_set, lowest_bit
from features.kernels.coverage import carried
from features.kernels.settled import is_settled
from features.parts import part
from features.records.days import NO_DAY

FOREVER = 10**6
"""Longer than any course."""
EVENT_LAPSES_DAYS = 90
"""A check that an event asked for and that was never done lapses this long after its phase [D]."""
APPLIES, DOES_NOT, CANNOT_ASSESS = 1, 0, -1
DAYS_PAST_DUE, TESTS_DUE, TESTS_OVERDUE, TESTS_UNSURE, COMPLETE_SHARE, BLOOD_COLOUR = range(6)


@part()
def _extend(i, day, length, bits, gap, start, end):
    """Adds the supply of row ``i`` to the courses of its scopes."""
    mask = bits[i]
    while mask != 0:
        s = lowest_bit(mask)
        mask &= mask - np.uint64(1)
        if start[s] == NO_DAY or day[i] > end[s] + gap[s]:
            start[s] = day[i]
            end[s] = day[i]
        end[s] = carried(day[i], end[s], length[i])[1]


@jit()
def courses_kernel(offsets, day, known, until, length, bits, gap, person, as_of, start, end):
    """Fills ``start`` and ``end`` (rows x scopes) of the latest course; NO_DAY if nothing of the scope was supplied.

    A new course starts after more than ``gap[s]`` days without supply. ``end`` is the first day that supply no longer
    covers. On a later day of one person the rows that are settled are not read again.
    """
    begun, ended = np.empty(gap.shape[0], np.int32), np.empty(gap.shape[0], np.int32)
    before, reached, settled = -1, 0, 0
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        if who != before or t < reached:
            settled = offsets[who]
            begun[:] = NO_DAY
            ended[:] = NO_DAY
        before, reached = who, t
        last = offsets[who + 1]
        while settled < last and is_settled(day, known, until, settled, t):
            if until[settled] >= t:
                _extend(settled, day, length, bits, gap, begun, ended)
            settled += 1
        start[r] = begun
        end[r] = ended
        for i in range(settled, last):
            if day[i] >= t:
                break
            if known[i] < t and until[i] >= t:
                _extend(i, day, length, bits, gap, start[r], end[r])


@jit()
def latest_kernel(offsets, day, known, bits, person, as_of, last):
    """Fills ``last`` (rows x tests) with the day of the latest visible result, NO_DAY if there is none. On a later day
    of one person the results that were visible are not read again."""
    newest = np.empty(last.shape[1], np.int32)
    before, reached, settled = -1, 0, 0
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        if who != before or t < reached:
            settled = offsets[who]
            newest[:] = NO_DAY
        before, reached = who, t
        end = offsets[who + 1]
        while settled < end and day[settled] < t and known[settled] < t:
            mask = bits[settled]
            while mask != 0:
                newest[lowest_bit(mask)] = day[settled]
                mask &= mask - np.uint64(1)
            settled += 1
        last[r] = newest
        for i in range(settled, end):
            if day[i] >= t:
                break
            if known[i] >= t:
                continue
            mask = bits[i]
            while mask != 0:
                last[r, lowest_bit(mask)] = day[i]
                mask &= mask - np.uint64(1)


@part()
def _chained(rows, applies, j, first, last_row):
    """Whether an interval row of ``first`` .. ``last_row - 1`` that applies continues on the day after row ``j``
    ends."""
    for k in range(first, last_row):
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
        chained = rows[j, 5] < 0 and _chained(rows, applies, j, first, last_row)
        # keep the earliest: the next phase's own due date is always later than a check that fell due in this phase
        if (day <= lapse or chained) and anchor + mine < due:
            due, fired = anchor + mine, places[j]
    return due, fired, unsure


@part(_nrt=True)
def _items_of_scopes(heads, scopes):
    """Items by scope: those of scope ``s`` are ``items[first[s]:first[s + 1]]``."""
    first, items = np.zeros(scopes + 1, np.int64), np.empty(heads.shape[0], np.int64)
    n = 0
    for s in range(scopes):
        for item in range(heads.shape[0]):
            if heads[item, 0] == s:
                items[n] = item
                n += 1
        first[s + 1] = n
    return first, items


@jit()
def due_kernel(heads, rows, places, start, end, after, last, from_start, applies, events, as_of, due, fired, unsure):
    """Fills ``due``, ``fired`` and ``unsure`` (rows x items). ``after[s]`` is how many days past ``end`` a course
    still counts; the last column of ``heads`` marks items that follow a stop. A person is in few of the scopes, and
    only their items are worked out."""
    first, items = _items_of_scopes(heads, after.shape[0])
    for r in range(as_of.shape[0]):
        due[r, :] = NO_DAY
        fired[r, :] = -1
        unsure[r, :] = False
        mine, theirs = applies[r], events[r]
        for s in range(after.shape[0]):
            if start[r, s] == NO_DAY:
                continue
            ended = as_of[r] > end[r, s] + after[s]
            for k in range(first[s], first[s + 1]):
                item = items[k]
                if ended and not heads[item, 4]:
                    continue
                found, place, doubt = _due(
                    rows,
                    places,
                    heads[item, 2],
                    heads[item, 3],
                    as_of[r],
                    start[r, s],
                    ended,
                    last[r, heads[item, 1]],
                    from_start[s],
                    mine,
                    theirs,
                )
                unsure[r, item] = doubt
                if place >= 0:
                    due[r, item], fired[r, item] = found, place


@jit()
def verbs_kernel(
    due, fired, unsure, counted, colour, grace, test_of, verbs, group, first, readers, as_of, out_row, columns, out
):
    """Features of the schedule. Feature ``k`` reads the items of group ``group[k]``, and item ``i`` belongs to the
    groups ``readers[first[i]:first[i + 1]]``; a test in two items of one group counts once.

    ``test_of`` gives the test of each item, below 64; ``grace`` the days of each protocol. A person has few of the
    many items, and only those are read.
    """
    groups = 0
    for k in range(group.shape[0]):
        groups = max(groups, group[k] + 1)
    asked, coming = np.zeros(groups, np.uint64), np.zeros(groups, np.uint64)
    late, doubtful = np.zeros(groups, np.uint64), np.zeros(groups, np.uint64)
    earliest = np.zeros(groups, np.int64)
    for r in range(as_of.shape[0]):
        t = as_of[r]
        asked[:], coming[:], late[:], doubtful[:] = 0, 0, 0, 0
        earliest[:] = NO_DAY
        for i in range(test_of.shape[0]):
            scheduled = fired[r, i] >= 0
            if not scheduled and not unsure[r, i]:
                continue
            test = np.uint64(1) << np.uint64(test_of[i])
            if not scheduled:
                for reader in range(first[i], first[i + 1]):
                    doubtful[readers[reader]] |= test
                continue
            day = due[r, i]
            overdue = test if t > day + grace[fired[r, i]] else np.uint64(0)
            is_due = test if day <= t else overdue
            for reader in range(first[i], first[i + 1]):
                g = readers[reader]
                asked[g] |= test
                coming[g] |= is_due
                late[g] |= overdue
                earliest[g] = min(earliest[g], day)
        for k in range(verbs.shape[0]):
            verb, g = verbs[k], group[k]
            x = np.nan
            if verb == BLOOD_COLOUR:
                if counted[r]:
                    x = colour[r]
            elif verb == DAYS_PAST_DUE:
                if earliest[g] != NO_DAY:
                    x = t - earliest[g]
            elif verb == TESTS_UNSURE:
                x = bits_set(doubtful[g])
            elif asked[g] != 0:
                x = bits_set(coming[g] if verb == TESTS_DUE else late[g])
                if verb == COMPLETE_SHARE:
                    x = 1 - x / bits_set(asked[g])
            out[out_row[r], columns[k]] = x
