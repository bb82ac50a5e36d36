"""Compiled point-in-time lookups for conditions: latest row, first row, latest value, last change. Every loop checks
both clocks.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.bitsets import lowest_bit
from features.kernels.coverage import carried
from features.kernels.windows import bisect
from features.parts import part
from features.records.days import NO_DAY

GREEN, AMBER, RED = 0, 1, 2
_NEVER = -(2**40)


@part()
def _stands(until, i, t):
    return until.shape[0] == 0 or until[i] >= t


@jit()
def latest_row(offsets, day, known, until, person, as_of):
    """Position of the latest visible row, -1 where there is none. ``until`` is the last day on which each
    row stands (:mod:`features.records.same_event.supplies`), empty where every row does."""
    out = np.full(person.shape[0], -1, np.int64)
    for r in range(person.shape[0]):
        start = offsets[person[r]]
        i = bisect(day, start, offsets[person[r] + 1], as_of[r]) - 1
        while i >= start and not (known[i] < as_of[r] and _stands(until, i, as_of[r])):
            i -= 1
        if i >= start:
            out[r] = i
    return out


@jit()
def first_row(offsets, day, known, until, person, as_of):
    """Position of the first visible row, -1 where there is none. ``until`` as in :func:`latest_row`."""
    out = np.full(person.shape[0], -1, np.int64)
    for r in range(person.shape[0]):
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= as_of[r]:
                break
            if known[i] < as_of[r] and _stands(until, i, as_of[r]):
                out[r] = i
                break
    return out


@jit()
def newest_rows(offsets, day, known, until, bits, as_of, places, row, on):
    """Fills ``row[p, places[s]]`` and ``on[p, places[s]]`` with the newest visible events of each person ``p`` and
    stream ``s`` and their days, newest first.

    As many as the last axis holds; what is not filled stays as it was. ``bits`` is empty where every event is of the
    one stream, ``until`` where every row stands.
    """
    most = row.shape[2]
    found = np.zeros(places.shape[0], np.int64)
    for p in range(offsets.shape[0] - 1):
        found[:] = 0
        for i in range(offsets[p + 1] - 1, offsets[p] - 1, -1):
            if day[i] >= as_of or known[i] >= as_of or not _stands(until, i, as_of):
                continue
            mask = bits[i] if bits.shape[0] > 0 else np.uint64(1)
            while mask != 0:
                s = lowest_bit(mask)
                mask &= mask - np.uint64(1)
                if found[s] < most:
                    row[p, places[s], found[s]] = i
                    on[p, places[s], found[s]] = day[i]
                    found[s] += 1


@jit()
def rows_behind(person, line, asked, weight, starts, members, reading, first, table, row, on, most):
    """At most ``most`` rows behind each of some lists of features, newest first, out of ``row`` and ``on`` (people,
    readings, depth): the newest row of each feature, the largest ``weight[line]`` first, then the next newest. A
    feature without weight is left out, and so is a row before the feature's ``first`` day. Rows of one day are in order
    of ``table`` and position.

    List ``i`` is that of the features ``members[starts[asked[i]]:]`` for ``person[i]``. Returns the number of its rows,
    their readings, positions and days, and the tables of its features (-1 where there are no more).
    """
    lists, tables = person.shape[0], table.max() + 1
    number = np.zeros(lists, np.int64)
    read, position = np.zeros((lists, most), np.int64), np.zeros((lists, most), np.int64)
    day, named = np.zeros((lists, most), np.int64), np.full((lists, tables), -1, np.int64)
    chosen = np.zeros(members.shape[0], np.int64)
    for p in range(lists):
        count = 0
        for m in members[starts[asked[p]] : starts[asked[p] + 1]]:
            size = weight[line[p], m]
            if size > 0:
                place = count
                while place > 0 and weight[line[p], chosen[place - 1]] < size:  # equal ones stay in order
                    chosen[place] = chosen[place - 1]
                    place -= 1
                chosen[place] = m
                count += 1
        for feature in chosen[:count]:
            place = 0
            while named[p, place] >= 0 and named[p, place] != table[reading[feature]]:
                place += 1
            named[p, place] = table[reading[feature]]
        rows = 0
        for depth in range(row.shape[2]):
            for feature in chosen[:count]:
                r = reading[feature]
                at, when = row[person[p], r, depth], on[person[p], r, depth]
                if rows == most or at < 0 or when < first[feature]:
                    continue
                known = False
                for i in range(rows):
                    known = known or (position[p, i] == at and table[read[p, i]] == table[r])
                if known:
                    continue
                place = rows
                while place > 0:
                    last = place - 1
                    other = table[read[p, last]]
                    if not _comes_before(when, table[r], at, day[p, last], other, position[p, last]):
                        break
                    read[p, place], position[p, place], day[p, place] = read[p, last], position[p, last], day[p, last]
                    place = last
                read[p, place], position[p, place], day[p, place] = r, at, when
                rows += 1
        number[p] = rows
    return number, read, position, day, named


@part()
def _comes_before(day, table, at, other_day, other_table, other_at):
    """Whether a row is the newer one, or comes first on its day."""
    return day > other_day or (day == other_day and (table < other_table or (table == other_table and at < other_at)))


@jit(_nrt=False)
def ends(offsets, day, known, keep, as_of, first, last):
    """Fills ``first`` and ``last`` (people) with the earliest and latest day of each person's visible kept rows,
    NO_DAY if there are none.
    """
    for p in range(offsets.shape[0] - 1):
        first[p], last[p] = NO_DAY, NO_DAY
        for i in range(offsets[p], offsets[p + 1]):
            if keep[i] and day[i] < as_of and known[i] < as_of:
                first[p] = min(first[p], day[i])
                last[p] = day[i] if last[p] == NO_DAY else max(last[p], day[i])


@jit()
def latest_change(offsets, day, known, until, value, person, as_of):
    """Day on which the visible value last changed from another one; NO_DAY where it never did. ``until`` as in
    :func:`latest_row`."""
    out = np.full(person.shape[0], NO_DAY, np.int32)
    for r in range(person.shape[0]):
        last = np.nan
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= as_of[r]:
                break
            if known[i] >= as_of[r] or not _stands(until, i, as_of[r]):
                continue
            if not np.isnan(last) and value[i] != last:
                out[r] = day[i]
            last = value[i]
    return out


@jit()
def latest_end(offsets, day, known, until, length, person, as_of):
    """First day that no supply covers any more, each counted from its own day; NO_DAY where there is
    none."""
    out = np.full(person.shape[0], NO_DAY, np.int32)
    for r in range(person.shape[0]):
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= as_of[r]:
                break
            if known[i] < as_of[r] <= until[i]:
                end = day[i] + length[i]
                out[r] = end if out[r] == NO_DAY else max(out[r], end)
    return out


@jit()
def lowest_value(offsets, day, known, value, person, as_of):
    """Lowest visible value ever recorded, NaN if there is none."""
    out = np.full(person.shape[0], np.nan)
    for r in range(person.shape[0]):
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= as_of[r]:
                break
            if known[i] < as_of[r] and not np.isnan(value[i]) and not value[i] >= out[r]:
                out[r] = value[i]
    return out


@jit()
def blood_colour(offsets, day, known, part, value, limits, registered, person, as_of):
    """State of the clozapine blood count: (colour in force, day of the count that set it).

    ``part`` is 0 for white cells, 1 for neutrophils, -1 otherwise. ``limits[b]`` holds (amber, red) of each part,
    general (b = 0) and with benign ethnic neutropenia registered (b = 1). Counts of one day are read together. Amber
    lasts until a green count, red until two green counts in a row.
    """
    colour = np.zeros(person.shape[0], np.int8)
    since = np.full(person.shape[0], NO_DAY, np.int32)
    for r in range(person.shape[0]):
        b = registered[r]
        state, greens, set_on = GREEN, 0, NO_DAY
        i, last = offsets[person[r]], offsets[person[r] + 1]
        while i < last and day[i] < as_of[r]:
            today, worst, counted = day[i], GREEN, False
            while i < last and day[i] == today:
                if part[i] >= 0 and known[i] < as_of[r] and not np.isnan(value[i]):
                    counted = True
                    if value[i] < limits[b, part[i], 1]:
                        worst = max(worst, RED)
                    elif value[i] < limits[b, part[i], 0]:
                        worst = max(worst, AMBER)
                i += 1
            if not counted:
                continue
            if worst == GREEN:
                greens += 1
                if state == AMBER or (state == RED and greens >= 2):
                    state, set_on = GREEN, NO_DAY
            else:
                greens = 0
                if worst > state:
                    state, set_on = worst, today
        colour[r], since[r] = state, set_on
    return colour, since


@jit()
def latest_break(offsets, day, known, until, length, limit, person, as_of):
    """Latest restart after more than ``limit[r]`` days without supply, and the length of the break; (NO_DAY, 0) if
    there was none.
    """
    restart = np.full(person.shape[0], NO_DAY, np.int32)
    missed = np.zeros(person.shape[0], np.int32)
    for r in range(person.shape[0]):
        end = _NEVER
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            if day[i] >= as_of[r]:
                break
            if known[i] >= as_of[r] or until[i] < as_of[r]:
                continue
            if end > _NEVER and day[i] - end > limit[r]:
                restart[r], missed[r] = day[i], day[i] - end
            end = carried(day[i], end, length[i])[1]
    return restart, missed
