"""What one walk over a person's events adds up: the totals of each stream in each lookback window.

The pieces are inlined into :func:`features.kernels.windows.window_kernel`, which owns the arrays and clears them
between the rows of the spine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.jit import inlined
from features.parts import part

NEEDS_VALUES, NEEDS_DISTINCT, NEEDS_GAPS, NEEDS_EXTREMES, NEEDS_ENDS, NEEDS_TREND = 1, 2, 4, 8, 16, 32
NEEDS_FADING = 64
"""What the features of a stream read of its events beside their number. Only these totals are kept."""
KEPT_AGES = 64
"""How many of the latest events a person's usual gap is taken from, and how many distinct identities are counted."""


class Totals(NamedTuple):
    """Totals by stream, most also by window. An age is the number of days from an event to ``as_of``."""

    events: np.ndarray
    """[stream, window] events."""
    valued: np.ndarray
    """[stream, window] events that have a value."""
    total: np.ndarray
    """[stream, window] sum of the values."""
    high: np.ndarray
    low: np.ndarray
    oldest: np.ndarray
    """[stream, window] value of the oldest event that has one."""
    moment: np.ndarray
    """[stream, window, 3] sums of time, of time squared and of time times value; time is the age below zero."""
    last_age: np.ndarray
    """[stream] age of the newest event, -1 where there is none."""
    first_age: np.ndarray
    last_value: np.ndarray
    ages: np.ndarray
    """[stream, KEPT_AGES] ages of the newest events, ascending; no rows where no feature needs them."""
    n_ages: np.ndarray
    seen: np.ndarray
    """[stream, KEPT_AGES] identities in the order they are met; no rows where no feature needs them."""
    seen_count: np.ndarray
    """[stream, KEPT_AGES, window] events of each identity. Not cumulative, unlike the other totals."""
    n_seen: np.ndarray
    faded: np.ndarray
    """[stream, half-life] events, each counted less the older it is; no rows where no feature needs them."""


@part()
def empty_totals(needs, n_windows, n_half_lives):
    """Totals before the first event. ``needs`` has one entry a stream."""
    streams = needs.shape[0]
    asked = 0
    for s in range(streams):
        asked |= needs[s]
    gaps = streams if asked & NEEDS_GAPS else 0
    distinct = streams if asked & NEEDS_DISTINCT else 0
    fading = streams if asked & NEEDS_FADING else 0
    return Totals(
        np.zeros((streams, n_windows), np.float64),
        np.zeros((streams, n_windows), np.float64),
        np.zeros((streams, n_windows), np.float64),
        np.full((streams, n_windows), -np.inf),
        np.full((streams, n_windows), np.inf),
        np.full((streams, n_windows), np.nan),
        np.zeros((streams, n_windows, 3), np.float64),
        np.full(streams, -1, np.int64),
        np.full(streams, -1, np.int64),
        np.full(streams, np.nan),
        np.zeros((gaps, KEPT_AGES), np.float64),
        np.zeros(streams, np.int64),
        np.zeros((distinct, KEPT_AGES), np.int64),
        np.zeros((distinct, KEPT_AGES, n_windows), np.int64),
        np.zeros(streams, np.int64),
        np.zeros((fading, n_half_lives), np.float64),
    )


@inlined
def clear(totals, s, need):
    """Empties the totals of one stream for the next row of the spine."""
    totals.last_age[s], totals.first_age[s], totals.last_value[s] = -1, -1, np.nan
    totals.n_ages[s], totals.n_seen[s] = 0, 0
    if need & NEEDS_FADING:
        for h in range(totals.faded.shape[1]):
            totals.faded[s, h] = 0.0
    for w in range(totals.events.shape[1]):
        totals.events[s, w] = 0.0
        if need & NEEDS_VALUES:
            totals.valued[s, w], totals.total[s, w] = 0.0, 0.0
        if need & NEEDS_EXTREMES:
            totals.high[s, w], totals.low[s, w] = -np.inf, np.inf
        if need & NEEDS_ENDS:
            totals.oldest[s, w] = np.nan
        if need & NEEDS_TREND:
            totals.moment[s, w] = 0.0


@inlined
def add_value(totals, s, w, need, age, v):
    """Adds the value of one event to the window ``w`` that its age falls into. Events come newest first."""
    totals.valued[s, w] += 1.0
    totals.total[s, w] += v
    if need & NEEDS_EXTREMES:
        totals.high[s, w] = max(totals.high[s, w], v)
        totals.low[s, w] = min(totals.low[s, w], v)
    if need & NEEDS_ENDS:
        if np.isnan(totals.last_value[s]):
            totals.last_value[s] = v
        totals.oldest[s, w] = v
    if need & NEEDS_TREND:
        totals.moment[s, w, 0] -= age
        totals.moment[s, w, 1] += float(age) * age
        totals.moment[s, w, 2] -= age * v


@inlined
def add_identity(totals, s, w, identity):
    """Counts one event of an identity (a member of staff, a test). Identities after the first KEPT_AGES are left
    out."""
    j = 0
    while j < totals.n_seen[s] and totals.seen[s, j] != identity:
        j += 1
    if j == totals.n_seen[s] and j < KEPT_AGES:
        totals.seen[s, j] = identity
        totals.seen_count[s, j] = 0
        totals.n_seen[s] += 1
    if j < KEPT_AGES:
        totals.seen_count[s, j, w] += 1


@inlined
def add_event(totals, s, w, need, age, value, ident, weights, i):
    """Adds event ``i`` to stream ``s``. Returns whether it is the stream's first in this row of the spine."""
    new = totals.last_age[s] < 0
    totals.events[s, w] += 1.0
    if new:
        totals.last_age[s] = age
    totals.first_age[s] = age
    if need & NEEDS_VALUES:
        v = value[i]
        if not np.isnan(v):
            add_value(totals, s, w, need, age, v)
    if need & NEEDS_GAPS and totals.n_ages[s] < KEPT_AGES:
        totals.ages[s, totals.n_ages[s]] = age
        totals.n_ages[s] += 1
    if need & NEEDS_DISTINCT and ident[i] >= 0:
        add_identity(totals, s, w, ident[i])
    if need & NEEDS_FADING and age < weights.shape[1]:
        for h in range(weights.shape[0]):
            totals.faded[s, h] += weights[h, age]
    return new


@inlined
def accumulate(totals, s, need):
    """Makes each window of a stream hold what the narrower windows hold too."""
    for w in range(1, totals.events.shape[1]):
        totals.events[s, w] += totals.events[s, w - 1]
        if need & NEEDS_VALUES:
            totals.valued[s, w] += totals.valued[s, w - 1]
            totals.total[s, w] += totals.total[s, w - 1]
        if need & NEEDS_EXTREMES:
            totals.high[s, w] = max(totals.high[s, w], totals.high[s, w - 1])
            totals.low[s, w] = min(totals.low[s, w], totals.low[s, w - 1])
        if need & NEEDS_ENDS and np.isnan(totals.oldest[s, w]):
            totals.oldest[s, w] = totals.oldest[s, w - 1]
        if need & NEEDS_TREND:
            for part in range(3):
                totals.moment[s, w, part] += totals.moment[s, w - 1, part]
