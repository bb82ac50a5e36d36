"""Compiled loops over the gaps that staff planned: the days from a contact with the person to the appointment that was
booked at it."""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.windows import bisect


@jit()
def gaps_planned(offsets, day, booked, known, outcome_known, bookings, met):
    """Every booking made on the day of a contact with the person: ``offsets`` by person, the day it was made, the day
    from which booking and contact are both known, and the logarithm of the days to the appointment.

    Rows lie by person and ``day``; ``bookings`` and ``met`` say which rows are bookings and which are contacts that
    took place. The result lies by person and the day of the booking.
    """
    people = offsets.shape[0] - 1
    first = np.zeros(people + 1, np.int64)
    made = np.empty(day.shape[0], np.int32)
    known_both = np.empty(day.shape[0], np.int32)
    log_days = np.empty(day.shape[0], np.float64)
    n = 0
    for who in range(people):
        start, end = offsets[who], offsets[who + 1]
        for i in range(start, end):
            if not bookings[i] or booked[i] >= day[i]:
                continue
            seen, found = 0, False
            j = bisect(day, start, end, booked[i])
            while j < end and day[j] == booked[i]:
                if met[j]:
                    told = max(known[j], outcome_known[j])
                    seen, found = min(seen, told) if found else told, True
                j += 1
            if not found:
                continue
            place = n
            while place > first[who] and made[place - 1] > booked[i]:
                made[place], known_both[place] = made[place - 1], known_both[place - 1]
                log_days[place] = log_days[place - 1]
                place -= 1
            made[place], known_both[place] = booked[i], max(known[i], seen)
            log_days[place] = np.log(float(day[i] - booked[i]))
            n += 1
        first[who + 1] = n
    return first, made[:n], known_both[:n], log_days[:n]


@jit()
def planned_gaps_kernel(
    offsets, made, known, log_days, person, as_of, out_row, weights, half_lives, columns, out
):  # fmt: skip
    """The geometric mean of the planned days, each counted less the older it is: ``weights`` [age, half-life] says by
    how much. ``half_lives`` and ``columns`` are the features: index of the half-life, column of ``out``.
    """
    total, counted = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        total[:], counted[:] = 0.0, 0.0
        start = offsets[who]
        i = bisect(made, start, offsets[who + 1], t) - 1
        while i >= start and t - made[i] < weights.shape[0]:
            if known[i] < t:
                for h in range(weights.shape[1]):
                    weight = weights[t - made[i], h]
                    total[h] += weight * log_days[i]
                    counted[h] += weight
            i -= 1
        for k in range(columns.shape[0]):
            h = half_lives[k]
            out[out_row[r], columns[k]] = np.exp(total[h] / counted[h]) if counted[h] > 0 else np.nan
