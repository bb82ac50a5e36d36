"""Compiled loops over supplies: days covered with carry-over, gaps, supply left, and depot due dates.

Conventions (docs/clinical.md section 3). A supply of ``s`` days on day ``d`` covers ``d .. d + s - 1``, later if
supply of the same medicine is left: it then starts when that runs out (carry-over). A day is covered when any medicine
of the class covers it. Inpatient days leave both the window and the coverage: the hospital supplies the medicine. Only
supplies with both clocks before ``as_of`` are read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.jit import jit
from features.kernels.bitsets import ALL, BITS, add_places, bits_set, lowest_bit, places_between
from features.kernels.settled import is_settled
from features.parts import part

COVERED, GAP, LEFT, LONGEST_GAP, GAPS_OVER, COVERED_CHANGE = 0, 1, 2, 3, 4, 5
INTERVAL_SHARE, PICK_UP_SPREAD, IN_HAND_AT_DISCHARGE = 6, 7, 8
PAST_DUE, LATE_SHARE, LATE_BETWEEN, MISSED_WINDOWS = 0, 1, 2, 3

LONGEST_WINDOW = 730
WORDS = -(-LONGEST_WINDOW // BITS)
"""Days of the longest window, a bit each."""
MAX_MEDICINES = 32
COURSE_GAP_DAYS = 90
"""A course ends after more than 90 days without supply (docs/clinical.md section 0, restart rule [D])."""
SILENT_AFTER_DAYS = 365
"""Coverage of a class is unknown if all known supply of it ran out more than this many days ago: the person is not
taking it. A window that supply still reaches into is always known."""


CARRY_DAYS = 7
"""Supply in hand on the day of a collection counts for at most this many days more [D].

In NHS practice a repeat item can be ordered about a week before it runs out, so a week in hand is usual. More comes
from regular early collection (28 days collected every 26 days add up to 50 days in hand in two years), and must not
hide that nothing has been collected. AdhereR carries over without a limit; the two agree if less than this is in
hand.
"""


@part()
def carried(day, end, length):
    """(first day covered, first day no longer covered) by a supply of ``length`` days on ``day``, if supply in hand
    lasts to ``end``.
    """
    begin = min(max(day, end), day + CARRY_DAYS)
    return begin, max(end, begin + length)


class SuppliesRead(NamedTuple):
    """The supplies of each class that are read so far, [class, supply] in order of day."""

    day: np.ndarray
    length: np.ndarray
    begin: np.ndarray
    """The first day that the supply covers."""
    end: np.ndarray
    """The first day that it no longer covers."""
    last_end: np.ndarray
    """The latest ``end`` of this supply and of those before, at least -1."""
    carry: np.ndarray
    """Days left over on the day of the supply, if each day uses one of what was supplied before."""


class InHand(NamedTuple):
    """Of each class, how many supplies are read so far, and until when each of its medicines lasts."""

    supplies: np.ndarray
    """[class]"""
    medicines: np.ndarray
    """[class] how many medicines there are."""
    names: np.ndarray
    """[class, medicine]"""
    ends: np.ndarray
    """[class, medicine] the first day that supply of the medicine no longer covers."""


@part(_nrt=True)
def _in_hand(classes):
    names = np.zeros((classes, MAX_MEDICINES), np.int64)
    return InHand(np.zeros(classes, np.int64), np.zeros(classes, np.int64), names, np.zeros_like(names))


@part(_nrt=True)
def _supplies(classes, most):
    return SuppliesRead(
        np.zeros((classes, most), np.int64),
        np.zeros((classes, most), np.int64),
        np.zeros((classes, most), np.int64),
        np.zeros((classes, most), np.int64),
        np.zeros((classes, most), np.int64),
        np.zeros((classes, most), np.float64),
    )


@part()
def _copy(held, into):
    for c in range(held.supplies.shape[0]):
        into.supplies[c], into.medicines[c] = held.supplies[c], held.medicines[c]
        for j in range(held.medicines[c]):
            into.names[c, j], into.ends[c, j] = held.names[c, j], held.ends[c, j]


@part()
def _take(classes, day, length, medicine, supplies, held):
    """Adds one supply to each of its ``classes`` (bits). What it covers follows from those before it."""
    while classes != 0:
        c = lowest_bit(classes)
        classes &= classes - np.uint64(1)
        slot, known = -1, held.medicines[c]
        for j in range(known):
            if held.names[c, j] == medicine:
                slot = j
                break
        if slot < 0:
            slot = min(known, MAX_MEDICINES - 1)
            held.medicines[c] = min(known + 1, MAX_MEDICINES)
            held.names[c, slot], held.ends[c, slot] = medicine, day
        begin, end = carried(day, held.ends[c, slot], length)
        held.ends[c, slot] = end
        k = held.supplies[c]
        held.supplies[c] = k + 1
        supplies.day[c, k], supplies.length[c, k] = day, length
        supplies.begin[c, k], supplies.end[c, k] = begin, end
        supplies.last_end[c, k], supplies.carry[c, k] = max(-1, end), 0.0
        if k > 0:
            supplies.last_end[c, k] = max(supplies.last_end[c, k - 1], end)
            used = day - supplies.day[c, k - 1]
            supplies.carry[c, k] = max(0.0, supplies.carry[c, k - 1] + supplies.length[c, k - 1] - used)


@part()
def _inpatient(away, offsets, start, known, end, end_known, who, t, most):
    """Marks the days before ``t`` (place = age - 1) that were spent in hospital, as known by ``t``."""
    away[:] = 0
    for i in range(offsets[who], offsets[who + 1]):
        if start[i] >= t or known[i] >= t:
            continue
        last = end[i] if end_known[i] < t and end[i] < t else t
        add_places(away, t - last, t - max(start[i], t - most))


@part()
def _covered(covered, supplies, c, n, t, most):
    """Marks the last ``most`` days before ``t`` (place = age - 1) that the first ``n`` supplies of a class cover."""
    covered[:] = 0
    for k in range(n - 1, -1, -1):
        if supplies.last_end[c, k] <= t - most:
            break
        add_places(covered, max(0, t - supplies.end[c, k]), t - max(supplies.begin[c, k], t - most))


@jit()
def coverage_kernel(
    offsets,
    day,
    known,
    until,
    days_supplied,
    medicine,
    bits,
    stay_offsets,
    stay_start,
    stay_known,
    stay_end,
    stay_end_known,
    person,
    as_of,
    out_row,
    ops,
    op_class,
    op_window,
    op_number,
    op_column,
    out,
):
    """Features of supply classes. ``bits`` says which classes a supply belongs to.

    On a later day of one person the supplies that are settled are not read again.
    """
    classes, deepest = 0, 0
    for k in range(ops.shape[0]):
        classes = max(classes, op_class[k] + 1)
        deepest = max(deepest, 2 * op_window[k] if ops[k] == COVERED_CHANGE else op_window[k])
    covered, away = np.zeros(WORDS, np.uint64), np.zeros(WORDS, np.uint64)
    supplies, most = _supplies(classes, 64), 64
    always, now = _in_hand(classes), _in_hand(classes)
    before, reached, settled = -1, np.int64(0), 0
    for r in range(person.shape[0]):
        who, t = person[r], np.int64(as_of[r])
        end = offsets[who + 1]
        if who != before or t < reached:
            settled = offsets[who]
            always.supplies[:] = 0
            always.medicines[:] = 0
            if end - settled > most:
                most = end - settled
                supplies = _supplies(classes, most)
        before, reached = who, t
        while settled < end and is_settled(day, known, until, settled, t):
            if until[settled] >= t:
                _take(
                    bits[settled],
                    np.int64(day[settled]),
                    np.int64(days_supplied[settled]),
                    medicine[settled],
                    supplies,
                    always,
                )
            settled += 1
        _copy(always, now)
        for i in range(settled, end):
            if day[i] >= t:
                break
            if known[i] < t and until[i] >= t:
                _take(bits[i], np.int64(day[i]), np.int64(days_supplied[i]), medicine[i], supplies, now)
        marked = False
        left_on = _last_discharge(stay_offsets, stay_start, stay_known, stay_end, stay_end_known, who, t)
        for c in range(classes):
            n = now.supplies[c]
            first = supplies.day[c, 0] if n > 0 else np.int64(2**40)
            final = supplies.last_end[c, n - 1] if n > 0 else np.int64(-1)
            on_it = first < t and t - final <= SILENT_AFTER_DAYS
            if on_it:
                _covered(covered, supplies, c, n, t, deepest)
                if not marked:
                    _inpatient(
                        away, stay_offsets, stay_start, stay_known, stay_end, stay_end_known, who, t, LONGEST_WINDOW
                    )
                    marked = True
            for k in range(ops.shape[0]):
                if op_class[k] != c:
                    continue
                x = np.nan
                w = op_window[k]
                if not on_it:
                    if ops[k] == GAP and first < t:
                        x = float(max(0, t - final))
                elif ops[k] == COVERED:
                    x = _share(covered, away, 0, w)
                elif ops[k] == COVERED_CHANGE:
                    x = _share(covered, away, 0, w) - _share(covered, away, w, 2 * w)
                elif ops[k] == INTERVAL_SHARE:
                    x = _interval_share(supplies, c, n, t, w)
                elif ops[k] == PICK_UP_SPREAD:
                    x = _pick_up_spread(supplies, c, n, t, w)
                elif ops[k] == IN_HAND_AT_DISCHARGE:
                    x = _in_hand_on(supplies, c, n, left_on)
                elif ops[k] == GAP:
                    x = _at_home(away, t - max(final, t - LONGEST_WINDOW))
                    if final < t - LONGEST_WINDOW:
                        x += t - LONGEST_WINDOW - final
                elif ops[k] == LEFT:
                    x = float(max(0, final - t))
                elif ops[k] == LONGEST_GAP or ops[k] == GAPS_OVER:
                    longest, over = _gaps(covered, away, min(w, t - first), op_number[k])
                    x = longest if ops[k] == LONGEST_GAP else over
                out[out_row[r], op_column[k]] = x


@part()
def _gaps(covered, away, most, number):
    """The longest run of days neither covered nor in hospital among the last ``most``, and how many such runs are
    longer than ``number`` days."""
    longest, over, run = 0, 0, 0
    for k in range((most + BITS - 1) // BITS):
        rest = places_between(k, 0, most) & ~(covered[k] | away[k])
        left = BITS
        while left > 0:
            if rest == 0:
                over += run > number
                run = 0
                break
            closed = lowest_bit(rest)
            if closed > 0:
                over += run > number
                run = 0
                rest >>= np.uint64(closed)
                left -= closed
            gap = lowest_bit(~rest) if rest != ALL else BITS
            run += gap
            longest = max(longest, run)
            left -= gap
            rest = rest >> np.uint64(gap) if gap < BITS else np.uint64(0)
    return longest, over + (run > number)


@part()
def _at_home(away, days):
    """How many of the last ``days`` were not spent in hospital."""
    found = 0
    for k in range((days + BITS - 1) // BITS):
        found += bits_set(places_between(k, 0, days) & ~away[k])
    return found


@part()
def _in_hand_on(supplies, c, n, day):
    """Days of supply in hand on a day, from the supplies up to it; NaN without any."""
    while n > 0 and supplies.day[c, n - 1] > day:
        n -= 1
    return max(0, supplies.last_end[c, n - 1] - day) if n > 0 else np.nan


@part()
def _last_discharge(offsets, start, known, end, end_known, who, t):
    """Day of the latest discharge known by ``t``; a very early day if there is none."""
    last = -(2**41)
    for i in range(offsets[who], offsets[who + 1]):
        if start[i] < t and known[i] < t and end[i] < t and end_known[i] < t:
            last = max(last, end[i])
    return last


@part()
def _interval_share(supplies, c, n, t, w):
    """CMA9: each supply's days over the days to the next one, at most 1, averaged over the days of the window;
    inpatient days stay in."""
    first = n - 1
    while first > 0 and supplies.day[c, first] > t - w:
        first -= 1
    total = 0.0
    for i in range(first, n):
        day = supplies.day[c, i]
        following = supplies.day[c, i + 1] if i + 1 < n else t
        length, held = following - day, supplies.carry[c, i] + supplies.length[c, i]
        share = min(1.0, held / length) if length > 0 else 0.0
        total += share * max(0, following - max(day, t - w))
    return total / w


@part()
def _pick_up_spread(supplies, c, n, t, w):
    """Standard deviation of how late supplies were collected (days after the one before should have run out), NaN
    below 3 intervals."""
    first = n
    while first > 1 and supplies.day[c, first - 1] >= t - w:
        first -= 1
    count, total, squares = 0, 0.0, 0.0
    for i in range(first, n):
        late = float(supplies.day[c, i] - supplies.day[c, i - 1] - supplies.length[c, i - 1])
        count += 1
        total += late
        squares += late * late
    if count < 3:
        return np.nan
    return np.sqrt(max(0.0, squares / count - (total / count) ** 2))


@part()
def _share(covered, away, newest, oldest):
    """Share of the days with place newest .. oldest - 1 (age - 1) that are covered, inpatient days left out; NaN if
    none is left."""
    days, held = 0, 0
    for k in range(newest // BITS, (oldest + BITS - 1) // BITS):
        home = places_between(k, newest, oldest) & ~away[k]
        days += bits_set(home)
        held += bits_set(home & covered[k])
    return held / days if days else np.nan


@jit(_nrt=False)
def depot_kernel(
    offsets,
    day,
    known,
    until,
    interval,
    missed_after,
    person,
    as_of,
    out_row,
    ops,
    op_window,
    op_number,
    op_column,
    out,
):
    """Days past the due date of the next long-acting injection, and how many were given late or missed their window.

    Due is the last injection plus its interval. If it is more than COURSE_GAP_DAYS past due, the course has ended and
    all are unknown. LATE_BETWEEN counts a band of docs/clinical.md section 3 (``op_number`` 0: 1 to 7 days late, 1: 8
    to 14, 2:
    more). MISSED_WINDOWS counts injections, and the one now due, past the product's missed-dose limit.
    """
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        for k in range(ops.shape[0]):
            x = np.nan
            last, due, limit = -(2**40), -(2**40), 2**30
            late, given, missed = 0, 0, 0
            band = int(op_number[k])
            lowest = band * 7 if ops[k] == LATE_BETWEEN else op_number[k]
            highest = band * 7 + 7 if ops[k] == LATE_BETWEEN and band < 2 else COURSE_GAP_DAYS
            for i in range(offsets[who], offsets[who + 1]):
                if day[i] >= t:
                    break
                # a second row of one day is the same visit
                if known[i] >= t or until[i] < t or day[i] == last:
                    continue
                if day[i] >= t - op_window[k] and due > last and day[i] - due <= COURSE_GAP_DAYS:
                    given += 1
                    late += lowest < day[i] - due <= highest
                    missed += day[i] - last > limit
                last = day[i]
                due = day[i] + interval[i]
                limit = missed_after[i]
            if due > last and t - due <= COURSE_GAP_DAYS:
                if ops[k] == PAST_DUE:
                    x = t - due
                elif ops[k] == LATE_BETWEEN:
                    x = late
                elif ops[k] == MISSED_WINDOWS:
                    x = missed + (t - last > limit)
                elif given:
                    x = late / given
            out[out_row[r], op_column[k]] = x
