"""What one walk over a person's events adds up: the totals of each stream in each lookback window.

The pieces are inlined into :func:`features.kernels.windows.window_kernel`, which owns the arrays and clears them
between the rows of the spine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.jit import inlined
from features.kernels.bitsets import lowest_bit
from features.parts import part

NEEDS_VALUES, NEEDS_DISTINCT, NEEDS_GAPS, NEEDS_EXTREMES, NEEDS_ENDS, NEEDS_TREND = 1, 2, 4, 8, 16, 32
NEEDS_FADING, NEEDS_OLDEST, NEEDS_NEWEST = 64, 128, 256
"""What the features of a stream read of its events beside their number. Only these totals are kept."""
KEPT_AGES = 64
"""How many of the latest events a person's usual gap is taken from, and how many distinct identities are counted."""

IN_WINDOW = np.dtype(
    [
        ("events", np.float64),
        ("valued", np.float64),
        ("total", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("oldest", np.float64),
        ("time", np.float64),
        ("time_squared", np.float64),
        ("time_value", np.float64),
    ]
)
"""Totals of one stream in one window: events, those that have a value, the sum of the values, the extremes, the oldest
value, and the sums of time, of time squared and of time times value. Time is the age below zero.

They lie side by side, because a loop that keeps an array for each runs out of registers and takes half as long again.
"""
OF_STREAM = np.dtype(
    [
        ("last_age", np.int64),
        ("first_age", np.int64),
        ("last_value", np.float64),
        ("n_ages", np.int64),
        ("n_seen", np.int64),
    ]
)
"""What one stream has whatever the window: age of the newest event, -1 where there is none, age of the oldest, the
newest value, and how many ages and identities are kept."""


ENDS = np.dtype([("newest", np.int64), ("oldest", np.int64), ("value", np.float64)])
"""Days of the newest and the oldest settled event of a stream, and the newest value among them, NaN without any."""


class Totals(NamedTuple):
    """Totals by stream, most also by window. An age is the number of days from an event to ``as_of``."""

    window: np.ndarray
    """[stream, window] IN_WINDOW."""
    stream: np.ndarray
    """[stream] OF_STREAM."""
    ages: np.ndarray
    """[stream, KEPT_AGES] ages of the newest events, ascending; no rows where no feature needs them."""
    seen: np.ndarray
    """[stream, KEPT_AGES] identities in the order they are met; no rows where no feature needs them."""
    seen_count: np.ndarray
    """[stream, KEPT_AGES, window] events of each identity. Not cumulative, unlike the other totals."""
    gaps: np.ndarray
    """[stream, KEPT_AGES] differences of the ages whose median was worked out last, of any row."""
    usual: np.ndarray
    """[stream, 2] how many these were, and their median."""
    faded: np.ndarray
    """[stream, half-life] events, each counted less the older it is; no rows where no feature needs them."""


@part(_nrt=True)
def empty_totals(needs, n_windows, n_half_lives):
    """Totals before the first event. ``needs`` has one entry a stream."""
    streams = needs.shape[0]
    asked = 0
    for s in range(streams):
        asked |= needs[s]
    gaps = streams if asked & NEEDS_GAPS else 0
    distinct = streams if asked & NEEDS_DISTINCT else 0
    fading = streams if asked & NEEDS_FADING else 0
    totals = Totals(
        np.zeros((streams, n_windows), IN_WINDOW),
        np.zeros(streams, OF_STREAM),
        np.zeros((gaps, KEPT_AGES), np.float64),
        np.zeros((distinct, KEPT_AGES), np.int64),
        np.zeros((distinct, KEPT_AGES, n_windows), np.int64),
        np.zeros((gaps, KEPT_AGES), np.float64),
        np.zeros((gaps, 2), np.float64),
        np.zeros((fading, n_half_lives), np.float64),
    )
    for s in range(streams):
        clear(totals, s, needs[s], n_windows)
    return totals


@part(_nrt=True)
def wanted_in(depth, n_windows):
    """[window] the streams (bits) of which every event in that window is read."""
    wanted = np.zeros(n_windows, np.uint64)
    for s in range(depth.shape[0]):
        for w in range(depth[s]):
            wanted[w] |= np.uint64(1) << np.uint64(s)
    return wanted


@part()
def that_need(needs, what):
    """The streams (bits) that need any of ``what``."""
    found = np.uint64(0)
    for s in range(needs.shape[0]):
        if needs[s] & what:
            found |= np.uint64(1) << np.uint64(s)
    return found


@inlined
def clear(totals, s, need, depth):
    """Empties the totals of one stream, and of its first ``depth`` windows, for the next row of the spine."""
    mine = totals.stream[s]
    mine.last_age, mine.first_age, mine.last_value = -1, -1, np.nan
    mine.n_ages, mine.n_seen = 0, 0
    if need & NEEDS_FADING:
        for h in range(totals.faded.shape[1]):
            totals.faded[s, h] = 0.0
    for w in range(depth):
        cell = totals.window[s, w]
        cell.events = 0.0
        cell.valued, cell.total = 0.0, 0.0
        cell.high, cell.low, cell.oldest = -np.inf, np.inf, np.nan
        cell.time, cell.time_squared, cell.time_value = 0.0, 0.0, 0.0


@part(_nrt=True)
def ends_of(streams):
    """[stream] ENDS, before the first event."""
    return np.zeros(streams, ENDS)


@inlined
def carry(ends, mask, carried, day, value):
    """Adds a settled event of the streams in ``mask``, newer than those of the streams that are ``carried``."""
    while mask != 0:
        s = lowest_bit(mask)
        mask &= mask - np.uint64(1)
        mine = ends[s]
        if (carried >> np.uint64(s)) & np.uint64(1) == 0:
            mine.oldest, mine.value = day, np.nan
        mine.newest = day
        if not np.isnan(value):
            mine.value = value


@inlined
def end_with(mine, ends, need, t):
    """Gives a stream the newest and the oldest of its settled events, where no newer ones were met."""
    if mine.last_age < 0:
        mine.last_age = t - ends.newest
    if need & NEEDS_ENDS and np.isnan(mine.last_value):
        mine.last_value = ends.value
    if need & NEEDS_OLDEST:
        mine.first_age = t - ends.oldest


@inlined
def add_value(mine, cell, need, age, v):
    """Adds the value of one event to the window that its age falls into. Events come newest first."""
    cell.valued += 1.0
    cell.total += v
    if need & NEEDS_EXTREMES:
        cell.high = max(cell.high, v)
        cell.low = min(cell.low, v)
    if need & NEEDS_ENDS:
        if np.isnan(mine.last_value):
            mine.last_value = v
        cell.oldest = v
    if need & NEEDS_TREND:
        cell.time -= age
        cell.time_squared += float(age) * age
        cell.time_value -= age * v


@inlined
def add_identity(totals, s, w, identity):
    """Counts one event of an identity (a member of staff, a test). Identities after the first KEPT_AGES are left
    out."""
    mine = totals.stream[s]
    j = 0
    while j < mine.n_seen and totals.seen[s, j] != identity:
        j += 1
    if j == mine.n_seen and j < KEPT_AGES:
        totals.seen[s, j] = identity
        totals.seen_count[s, j] = 0
        mine.n_seen += 1
    if j < KEPT_AGES:
        totals.seen_count[s, j, w] += 1


@inlined
def add_event(totals, s, w, need, age, value, ident, weights, i):
    """Adds event ``i`` to stream ``s``."""
    cell = totals.window[s, w]
    cell.events += 1.0
    if need & ~NEEDS_NEWEST:
        mine = totals.stream[s]
        if need & NEEDS_OLDEST:
            mine.first_age = age
        if need & NEEDS_VALUES:
            v = value[i]
            if not np.isnan(v):
                add_value(mine, cell, need, age, v)
        if need & NEEDS_GAPS and mine.n_ages < KEPT_AGES:
            totals.ages[s, mine.n_ages] = age
            mine.n_ages += 1
        if need & NEEDS_DISTINCT and ident[i] >= 0:
            add_identity(totals, s, w, ident[i])
        if need & NEEDS_FADING and age < weights.shape[0]:
            for h in range(0, weights.shape[1], 4):  # four at a time: a loop of four turns is as long as its work
                totals.faded[s, h] += weights[age, h]
                totals.faded[s, h + 1] += weights[age, h + 1]
                totals.faded[s, h + 2] += weights[age, h + 2]
                totals.faded[s, h + 3] += weights[age, h + 3]


@inlined
def accumulate(totals, s, need, depth):
    """Makes each of the first ``depth`` windows of a stream hold what the narrower windows hold too."""
    for w in range(1, depth):
        cell, narrower = totals.window[s, w], totals.window[s, w - 1]
        cell.events += narrower.events
        if need & NEEDS_VALUES:
            cell.valued += narrower.valued
            cell.total += narrower.total
            cell.high = max(cell.high, narrower.high)
            cell.low = min(cell.low, narrower.low)
            if np.isnan(cell.oldest):
                cell.oldest = narrower.oldest
            cell.time += narrower.time
            cell.time_squared += narrower.time_squared
            cell.time_value += narrower.time_value
