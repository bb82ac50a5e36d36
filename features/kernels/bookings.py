"""Compiled loop over bookings: appointments made before ``as_of``, for a day before it or from it on."""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.windows import bisect
from features.parts import part

DAYS_TO_NEXT, NEXT_LEAD, AHEAD, LAST_LEAD, MEAN_LEAD, BETWEEN = range(6)
"""Days to the next booking, its lead time, bookings ahead, lead time of the last one before ``as_of``, mean lead time
in a window, and days from the last to the next."""
LOOK_AHEAD = (DAYS_TO_NEXT, NEXT_LEAD, AHEAD, BETWEEN)
LOOK_BACK = (LAST_LEAD, MEAN_LEAD, BETWEEN)
"""Operations that read the bookings for days from ``as_of`` on, and those that read the bookings before."""


@jit()
def bookings_kernel(
    offsets,
    day,
    booked,
    known,
    cancelled,
    cancelled_known,
    bits,
    person,
    as_of,
    out_row,
    ops,
    streams,
    windows,
    columns,
    out,
):
    """A booking counts where it was made and known before ``as_of``, and no cancellation of it was known by then.

    Rows lie by person and ``day``, the day that the booking is for. Lead time is the days from the booking to that
    day. Of several bookings for one day, the one made first counts.
    """
    before_person, soonest = -1, np.empty(64, np.int32)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        first, end = offsets[who], offsets[who + 1]
        if who != before_person:
            if soonest.shape[0] < end - first:
                soonest = np.empty(end - first, np.int32)
            for i in range(end - 1, first - 1, -1):
                soonest[i - first] = booked[i] if i + 1 == end else min(booked[i], soonest[i + 1 - first])
        before_person = who
        ahead = bisect(day, first, end, t)
        for k in range(columns.shape[0]):
            bit = np.uint64(1) << np.uint64(streams[k])
            following, following_lead, number = -1, -1, 0
            for i in range(ahead, end if ops[k] in LOOK_AHEAD else ahead):
                if soonest[i - first] >= t or (ops[k] != AHEAD and following >= 0 and day[i] != following):
                    break  # whatever lies further ahead was booked later, or is for a later day
                if bits[i] & bit and _stands(i, t, booked, known, cancelled, cancelled_known):
                    number += 1
                    if following < 0:
                        following = day[i]
                    if day[i] == following:
                        following_lead = max(following_lead, day[i] - booked[i])
            before, before_lead, total, counted = -1, -1, 0.0, 0
            for i in range(ahead - 1, first - 1 if ops[k] in LOOK_BACK else ahead - 1, -1):
                if windows[k] and day[i] < t - windows[k]:
                    break
                if not (bits[i] & bit and _stands(i, t, booked, known, cancelled, cancelled_known)):
                    continue
                if before < 0:
                    before = day[i]
                if day[i] == before:
                    before_lead = max(before_lead, day[i] - booked[i])
                elif ops[k] != MEAN_LEAD:
                    break
                total += day[i] - booked[i]
                counted += 1
            x = np.nan
            if ops[k] == AHEAD:
                x = number
            elif ops[k] == DAYS_TO_NEXT and following >= 0:
                x = following - t
            elif ops[k] == NEXT_LEAD and following >= 0:
                x = following_lead
            elif ops[k] == LAST_LEAD and before >= 0:
                x = before_lead
            elif ops[k] == MEAN_LEAD and counted:
                x = total / counted
            elif ops[k] == BETWEEN and following >= 0 and before >= 0:
                x = following - before
            out[out_row[r], columns[k]] = x


@part()
def _stands(i, t, booked, known, cancelled, cancelled_known):
    return booked[i] < t and known[i] < t and not (cancelled[i] and cancelled_known[i] < t)
