"""The operations of window features: from the totals of a walk to one value. NaN where the totals do not allow one.

The pieces are inlined into :func:`features.kernels.windows.window_kernel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.jit import inlined
from features.parts import part

COUNT, TOTAL, MEAN, HIGHEST, LOWEST, LATEST, CHANGE, SLOPE = 0, 1, 2, 3, 4, 5, 6, 7
DISTINCT, SHARE, SINCE_LAST, SINCE_FIRST, COUNT_SINCE, RECENT_SHARE, GAP_RATIO = 8, 9, 10, 11, 12, 13, 14
PERCENT_CHANGE, USUAL_PROVIDER, NEVER_RECORDED, FADING_COUNT, FADING_SHARE = 15, 16, 17, 18, 19

ADDED = (COUNT, TOTAL, MEAN)
"""Operations that :func:`features.kernels.windows.sums_kernel` can do alone."""
FADED_AWAY = 10
"""An event older than this many half-lives counts nothing in FADING_COUNT and FADING_SHARE."""
EARLIER_PART, EARLIER_WHOLE = 0.1, 0.5
"""What FADING_SHARE counts before the first event: one event in five, with the weight of half an event. So a share of
little says little."""
MIN_GAPS = 2
"""A usual gap needs at least this many gaps between events."""


ASKED = np.dtype(
    [
        ("op", np.int64),
        ("stream", np.int64),
        ("other", np.int64),
        ("window", np.int64),
        ("number", np.float64),
        ("half_life", np.int64),
        ("column", np.int64),
    ]
)
"""One feature of a walk: its operation, its stream and the other it is set against, the index of its window, its
number, the index of its half-life, and its column of the matrix."""


class Runs(NamedTuple):
    """The features that follow the order of events, which totals forget: COUNT_SINCE and RECENT_SHARE."""

    feature: np.ndarray
    """Positions of these features among the operations of the walk."""
    counted: np.ndarray
    """[operation] events of the feature's stream that count so far."""
    seen: np.ndarray
    """[operation] events of its other stream so far; for COUNT_SINCE 1 from the first on."""
    streams: np.uint64
    """The streams (bits) that these features read."""


@part(_nrt=True)
def streams_read(ops):
    """[operation] the streams (bits) that it reads."""
    found = np.zeros(ops.shape[0], np.uint64)
    for k in range(ops.shape[0]):
        found[k] = np.uint64(1) << np.uint64(ops[k].stream) | np.uint64(1) << np.uint64(ops[k].other)
    return found


@part(_nrt=True)
def runs_of(ops):
    """The features among ``ops`` that follow the order of events."""
    ordered = 0
    for k in range(ops.shape[0]):
        ordered += ops[k].op == COUNT_SINCE or ops[k].op == RECENT_SHARE
    feature, reads, streams = np.zeros(ordered, np.int64), streams_read(ops), np.uint64(0)
    ordered = 0
    for k in range(ops.shape[0]):
        if ops[k].op == COUNT_SINCE or ops[k].op == RECENT_SHARE:
            feature[ordered] = k
            streams |= reads[k]
            ordered += 1
    return Runs(feature, np.zeros(ops.shape[0], np.float64), np.zeros(ops.shape[0], np.float64), streams)


@inlined
def undecided(runs, ops, theirs):
    """The streams (bits) of the features that still need an older event, of a person who has events of ``theirs``."""
    found = np.uint64(0)
    for m in range(runs.feature.shape[0]):
        k = runs.feature[m]
        asked = ops[k]
        mine, other = np.uint64(1) << np.uint64(asked.stream), np.uint64(1) << np.uint64(asked.other)
        if asked.op == COUNT_SINCE:
            waiting = theirs & mine != 0 and runs.seen[k] == 0.0
        else:
            waiting = theirs & other != 0 and runs.seen[k] < asked.number
        if waiting:
            found |= (mine | other) & theirs
    return found


@inlined
def clear_runs(runs):
    for m in range(runs.feature.shape[0]):
        runs.counted[runs.feature[m]] = 0.0
        runs.seen[runs.feature[m]] = 0.0


@inlined
def follow(runs, mask, ops):
    """Takes the next older event into account. ``mask`` holds the streams that the event belongs to.

    COUNT_SINCE counts events of the stream newer than the newest of the other. RECENT_SHARE looks at the newest
    ``number`` events of the other stream, and counts those that are in the stream too.
    """
    for m in range(runs.feature.shape[0]):
        k = runs.feature[m]
        asked = ops[k]
        mine = (mask >> np.uint64(asked.stream)) & np.uint64(1)
        other = (mask >> np.uint64(asked.other)) & np.uint64(1)
        if asked.op == COUNT_SINCE:
            if other:
                runs.seen[k] = 1.0
            elif mine and runs.seen[k] == 0.0:
                runs.counted[k] += 1.0
        elif other and runs.seen[k] < asked.number:
            runs.seen[k] += 1.0
            if mine:
                runs.counted[k] += 1.0


def fading_weights(half_lives: Sequence[int]) -> npt.NDArray[np.float64]:
    """[age in days, half-life] what an event counts: 1 today, half as much after each half-life, 0 from
    ``FADED_AWAY`` of them."""
    ages = np.arange(max(half_lives, default=0) * FADED_AWAY + 1).reshape(-1, 1)
    halves = ages / np.array(half_lives, np.float64)
    return np.where(halves <= FADED_AWAY, 0.5**halves, 0.0)


@inlined
def value_of(asked, totals, runs, k):
    """Value of the feature that ``asked`` describes, the ``k``-th of the walk."""
    x = np.nan
    op, s, other, w, h = asked.op, asked.stream, asked.other, asked.window, asked.half_life
    if op == COUNT:
        x = totals.window[s, w].events
    elif op == SINCE_LAST:
        if totals.stream[s].last_age >= 0:
            x = float(totals.stream[s].last_age)
    elif op == SINCE_FIRST:
        if totals.stream[s].first_age >= 0:
            x = float(totals.stream[s].first_age)
    elif op == SHARE:
        if totals.window[other, w].events > 0:
            x = totals.window[s, w].events / totals.window[other, w].events
    elif op == COUNT_SINCE:
        x = runs.counted[k]
    elif op == RECENT_SHARE:
        if runs.seen[k] > 0:
            x = runs.counted[k] / runs.seen[k]
    elif op == FADING_COUNT:
        x = totals.faded[s, h]
    elif op == FADING_SHARE:
        if totals.stream[other].last_age >= 0:
            x = (totals.faded[s, h] + EARLIER_PART) / (totals.faded[other, h] + EARLIER_WHOLE)
    elif op == NEVER_RECORDED:
        x = 0.0 if totals.stream[s].last_age >= 0 else 1.0
    elif op == DISTINCT:
        x = _distinct(totals, s, w)
    elif op == USUAL_PROVIDER:
        x = _largest_share(totals, s, w)
    elif op == GAP_RATIO:
        usual = _usual_gap(totals, s)
        if usual >= 1:
            x = totals.stream[s].last_age / usual
    else:
        x = _of_values(op, totals, s, w)
    return x


@inlined
def _of_values(op, totals, s, w):
    """The operations on what was measured: total, mean, extremes, latest, change and trend."""
    x = np.nan
    cell, newest = totals.window[s, w], totals.stream[s].last_value
    if op == TOTAL:
        x = cell.total
    elif op == LATEST:
        x = newest
    elif op == MEAN:
        if cell.valued > 0:
            x = cell.total / cell.valued
    elif op == HIGHEST:
        if cell.valued > 0:
            x = cell.high
    elif op == LOWEST:
        if cell.valued > 0:
            x = cell.low
    elif op == CHANGE:
        if cell.valued > 1:
            x = newest - cell.oldest
    elif op == PERCENT_CHANGE:
        if cell.valued > 1 and cell.oldest > 0:
            x = 100.0 * (newest - cell.oldest) / cell.oldest
    elif op == SLOPE and cell.valued > 1:
        x = _slope(cell)
    return x


@inlined
def _slope(cell):
    """Least-squares change a year, NaN where all values are of one day."""
    spread = cell.time_squared - cell.time * cell.time / cell.valued
    if spread > 0:
        return 365.25 * (cell.time_value - cell.time * cell.total / cell.valued) / spread
    return np.nan


@inlined
def _distinct(totals, s, w):
    """How many identities have an event in the window."""
    found = 0.0
    for j in range(totals.stream[s].n_seen):
        found += totals.seen_count[s, j, : w + 1].sum() > 0
    return found


@inlined
def _largest_share(totals, s, w):
    """Share of the window's events that the most frequent identity has."""
    most, everyone = 0, 0
    for j in range(totals.stream[s].n_seen):
        mine = totals.seen_count[s, j, : w + 1].sum()
        most = max(most, mine)
        everyone += mine
    if everyone > 0:
        return most / everyone
    return np.nan


@inlined
def _usual_gap(totals, s):
    """Median of the differences of the ages of a stream's newest events, NaN with fewer than MIN_GAPS gaps. From one
    date to the next most people have the same gaps, and the same median."""
    gaps = totals.stream[s].n_ages - 1
    if gaps < MIN_GAPS:
        return np.nan
    same = totals.usual[s, 0] == gaps
    for i in range(gaps):
        gap = totals.ages[s, i + 1] - totals.ages[s, i]
        same &= totals.gaps[s, i] == gap
        totals.gaps[s, i] = gap
    if not same:
        totals.usual[s, 0] = gaps
        totals.usual[s, 1] = _median(totals.gaps[s], gaps)
    return totals.usual[s, 1]


@part(_nrt=True)
def _median(values, count):
    """Median of the first ``count`` values. numpy's gives the same and takes longer to compile than the whole walk
    around it."""
    ordered = np.empty(count, np.float64)
    for i in range(count):
        value, place = values[i], i
        while place > 0 and ordered[place - 1] > value:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = value
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
