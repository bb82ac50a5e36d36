"""Compiled loops over supplies: days covered with carry-over, gaps, supply left, and depot due dates.

Conventions (docs/clinical.md section 3). A supply of ``s`` days on day ``d`` covers ``d .. d + s - 1``, later if
supply of the same medicine is left: it then starts when that runs out (carry-over). A day is covered when any medicine
of the class covers it. Inpatient days leave both the window and the coverage: the hospital supplies the medicine. Only
supplies with both clocks before ``as_of`` are read.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.parts import part

COVERED, GAP, LEFT, LONGEST_GAP, GAPS_OVER, COVERED_CHANGE = 0, 1, 2, 3, 4, 5
INTERVAL_SHARE, PICK_UP_SPREAD, IN_HAND_AT_DISCHARGE = 6, 7, 8
PAST_DUE, LATE_SHARE, LATE_BETWEEN, MISSED_WINDOWS = 0, 1, 2, 3

LONGEST_WINDOW = 730
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


@part()
def _inpatient(away, offsets, start, known, end, end_known, who, t, most):
    """Marks the days before ``t`` (index = age - 1) that were spent in hospital, as known by ``t``."""
    away[:most] = 0
    for i in range(offsets[who], offsets[who + 1]):
        if start[i] >= t or known[i] >= t:
            continue
        last = end[i] if end_known[i] < t and end[i] < t else t
        for d in range(max(start[i], t - most), last):
            away[t - d - 1] = 1


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
    """Features of supply classes. ``bits`` says which classes a supply belongs to; classes are processed one after
    another."""
    classes = 0
    for k in range(ops.shape[0]):
        classes = max(classes, op_class[k] + 1)
    covered = np.zeros(LONGEST_WINDOW, np.uint8)
    away = np.zeros(LONGEST_WINDOW, np.uint8)
    names = np.zeros(MAX_MEDICINES, np.int64)
    ends = np.zeros(MAX_MEDICINES, np.int64)
    most = 0
    days, lengths = np.zeros(64, np.int64), np.zeros(64, np.int64)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        marked = False
        left_on = _last_discharge(stay_offsets, stay_start, stay_known, stay_end, stay_end_known, who, t)
        most = max(most, offsets[who + 1] - offsets[who])
        if days.shape[0] < most:
            days, lengths = np.zeros(most, np.int64), np.zeros(most, np.int64)
        for c in range(classes):
            n_names, n = 0, 0
            in_hand = np.nan
            final, first = -1, 2**40
            covered[:] = 0
            for i in range(offsets[who], offsets[who + 1]):
                if day[i] >= t:
                    break
                if known[i] >= t or until[i] < t or not (bits[i] >> np.uint64(c)) & np.uint64(1):
                    continue
                if left_on > -(2**40) and first <= left_on < day[i] and np.isnan(in_hand):
                    in_hand = max(0, final - left_on)
                first = min(first, day[i])
                days[n], lengths[n] = day[i], days_supplied[i]
                n += 1
                slot = -1
                for j in range(n_names):
                    if names[j] == medicine[i]:
                        slot = j
                        break
                if slot < 0:
                    slot = min(n_names, MAX_MEDICINES - 1)
                    n_names = min(n_names + 1, MAX_MEDICINES)
                    names[slot] = medicine[i]
                    ends[slot] = day[i]
                begin, ends[slot] = carried(day[i], ends[slot], days_supplied[i])
                final = max(final, ends[slot])
                for d in range(max(begin, t - LONGEST_WINDOW), min(ends[slot], t)):
                    covered[t - d - 1] = 1
            if left_on > -(2**40) and first <= left_on and np.isnan(in_hand):
                in_hand = max(0, final - left_on)
            on_it = first < t and t - final <= SILENT_AFTER_DAYS
            if on_it and not marked:
                _inpatient(away, stay_offsets, stay_start, stay_known, stay_end, stay_end_known, who, t, LONGEST_WINDOW)
                marked = True
            for k in range(ops.shape[0]):
                if op_class[k] != c:
                    continue
                x = np.nan
                w = op_window[k]
                if not on_it:
                    if ops[k] == GAP and first < t:
                        x = max(0, t - final)
                elif ops[k] == COVERED:
                    x = _share(covered, away, 0, w)
                elif ops[k] == COVERED_CHANGE:
                    x = _share(covered, away, 0, w) - _share(covered, away, w, 2 * w)
                elif ops[k] == INTERVAL_SHARE:
                    x = _interval_share(days, lengths, n, t, w)
                elif ops[k] == PICK_UP_SPREAD:
                    x = _pick_up_spread(days, lengths, n, t, w)
                elif ops[k] == IN_HAND_AT_DISCHARGE:
                    x = in_hand
                elif ops[k] == GAP:
                    x = 0.0
                    for d in range(max(final, t - LONGEST_WINDOW), t):
                        x += 1 - away[t - d - 1]
                    if final < t - LONGEST_WINDOW:
                        x += t - LONGEST_WINDOW - final
                elif ops[k] == LEFT:
                    x = max(0, final - t)
                elif ops[k] == LONGEST_GAP or ops[k] == GAPS_OVER:
                    longest, over, run = 0, 0, 0
                    for age in range(min(w, t - first), 0, -1):
                        if covered[age - 1] or away[age - 1]:
                            run = 0
                            continue
                        run += 1
                        longest = max(longest, run)
                        if run == op_number[k] + 1:
                            over += 1
                    x = longest if ops[k] == LONGEST_GAP else over
                out[out_row[r], op_column[k]] = x


@part()
def _last_discharge(offsets, start, known, end, end_known, who, t):
    """Day of the latest discharge known by ``t``; a very early day if there is none."""
    last = -(2**41)
    for i in range(offsets[who], offsets[who + 1]):
        if start[i] < t and known[i] < t and end[i] < t and end_known[i] < t:
            last = max(last, end[i])
    return last


@part()
def _interval_share(days, lengths, n, t, w):
    """CMA9: each supply's days over the days to the next one, at most 1, averaged over the days of the window;
    inpatient days stay in."""
    total, carry = 0.0, 0.0
    for i in range(n):
        following = days[i + 1] if i + 1 < n else t
        length, held = following - days[i], carry + lengths[i]
        share = min(1.0, held / length) if length > 0 else 0.0
        carry = max(0.0, held - length)
        total += share * max(0, following - max(days[i], t - w))
    return total / w


@part()
def _pick_up_spread(days, lengths, n, t, w):
    """Standard deviation of how late supplies were collected (days after the one before should have run out), NaN
    below 3 intervals."""
    count, total, squares = 0, 0.0, 0.0
    for i in range(1, n):
        if days[i] >= t - w:
            late = float(days[i] - days[i - 1] - lengths[i - 1])
            count += 1
            total += late
            squares += late * late
    if count < 3:
        return np.nan
    return np.sqrt(max(0.0, squares / count - (total / count) ** 2))


@part()
def _share(covered, away, newest, oldest):
    """Share of the days with index newest .. oldest - 1 (age - 1) that are covered, inpatient days left out; NaN if
    none is left."""
    days, held = 0, 0
    for age in range(newest, oldest):
        if not away[age]:
            days += 1
            held += covered[age]
    return held / days if days else np.nan


@jit(_nrt=False)
def depot_kernel(
    offsets,
    day,
    known,
    until,
    interval,
    missed_after,
    keep,
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
                if known[i] >= t or until[i] < t or not keep[i] or day[i] == last:
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
