"""The operations of window features: from the totals of a walk to one value. NaN where the totals do not allow one.

The pieces are inlined into :func:`features.kernels.windows.window_kernel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.jit import inlined, jit
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


class Runs(NamedTuple):
    """The features that follow the order of events, which totals forget: COUNT_SINCE and RECENT_SHARE."""

    feature: np.ndarray
    """Positions of these features among the operations of the walk."""
    counted: np.ndarray
    """[operation] events of the feature's stream that count so far."""
    seen: np.ndarray
    """[operation] events of its other stream so far; for COUNT_SINCE 1 from the first on."""


@part()
def runs_of(ops):
    """The features among ``ops`` that follow the order of events."""
    ordered = 0
    for k in range(ops.shape[0]):
        ordered += ops[k] == COUNT_SINCE or ops[k] == RECENT_SHARE
    feature = np.zeros(ordered, np.int64)
    ordered = 0
    for k in range(ops.shape[0]):
        if ops[k] == COUNT_SINCE or ops[k] == RECENT_SHARE:
            feature[ordered] = k
            ordered += 1
    return Runs(feature, np.zeros(ops.shape[0], np.float64), np.zeros(ops.shape[0], np.float64))


@inlined
def clear_runs(runs):
    for m in range(runs.feature.shape[0]):
        runs.counted[runs.feature[m]] = 0.0
        runs.seen[runs.feature[m]] = 0.0


@inlined
def follow(runs, mask, ops, op_stream, op_other, op_number):
    """Takes the next older event into account. ``mask`` holds the streams that the event belongs to.

    COUNT_SINCE counts events of the stream newer than the newest of the other. RECENT_SHARE looks at the newest
    ``op_number`` events of the other stream, and counts those that are in the stream too.
    """
    for m in range(runs.feature.shape[0]):
        k = runs.feature[m]
        mine = (mask >> np.uint64(op_stream[k])) & np.uint64(1)
        other = (mask >> np.uint64(op_other[k])) & np.uint64(1)
        if ops[k] == COUNT_SINCE:
            if other:
                runs.seen[k] = 1.0
            elif mine and runs.seen[k] == 0.0:
                runs.counted[k] += 1.0
        elif other and runs.seen[k] < op_number[k]:
            runs.seen[k] += 1.0
            if mine:
                runs.counted[k] += 1.0


def fading_weights(half_lives: Sequence[int]) -> npt.NDArray[np.float64]:
    """[half-life, age in days] what an event counts: 1 today, half as much after each half-life, 0 from
    ``FADED_AWAY`` of them."""
    ages = np.arange(max(half_lives, default=0) * FADED_AWAY + 1)
    halves = ages / np.array(half_lives, np.float64).reshape(-1, 1)
    return np.where(halves <= FADED_AWAY, 0.5**halves, 0.0)


@inlined
def value_of(op, totals, runs, k, s, other, w, h):
    """Value of feature ``k``: operation ``op`` on stream ``s`` (and ``other``) over window ``w``, or fading with the
    half-life at ``h``.
    """
    x = np.nan
    if op == COUNT:
        x = totals.events[s, w]
    elif op == SINCE_LAST:
        if totals.last_age[s] >= 0:
            x = float(totals.last_age[s])
    elif op == SINCE_FIRST:
        if totals.first_age[s] >= 0:
            x = float(totals.first_age[s])
    elif op == SHARE:
        if totals.events[other, w] > 0:
            x = totals.events[s, w] / totals.events[other, w]
    elif op == COUNT_SINCE:
        x = runs.counted[k]
    elif op == RECENT_SHARE:
        if runs.seen[k] > 0:
            x = runs.counted[k] / runs.seen[k]
    elif op == FADING_COUNT:
        x = totals.faded[s, h]
    elif op == FADING_SHARE:
        if totals.last_age[other] >= 0:
            x = (totals.faded[s, h] + EARLIER_PART) / (totals.faded[other, h] + EARLIER_WHOLE)
    elif op == NEVER_RECORDED:
        x = 0.0 if totals.last_age[s] >= 0 else 1.0
    elif op == DISTINCT:
        x = _distinct(totals, s, w)
    elif op == USUAL_PROVIDER:
        x = _largest_share(totals, s, w)
    elif op == GAP_RATIO:
        usual = _median_gap(totals.ages[s], totals.n_ages[s])
        if usual >= 1:
            x = totals.last_age[s] / usual
    else:
        x = _of_values(op, totals, s, w)
    return x


@inlined
def _of_values(op, totals, s, w):
    """The operations on what was measured: total, mean, extremes, latest, change and trend."""
    x = np.nan
    valued = totals.valued[s, w]
    if op == TOTAL:
        x = totals.total[s, w]
    elif op == LATEST:
        x = totals.last_value[s]
    elif op == MEAN:
        if valued > 0:
            x = totals.total[s, w] / valued
    elif op == HIGHEST:
        if valued > 0:
            x = totals.high[s, w]
    elif op == LOWEST:
        if valued > 0:
            x = totals.low[s, w]
    elif op == CHANGE:
        if valued > 1:
            x = totals.last_value[s] - totals.oldest[s, w]
    elif op == PERCENT_CHANGE:
        if valued > 1 and totals.oldest[s, w] > 0:
            x = 100.0 * (totals.last_value[s] - totals.oldest[s, w]) / totals.oldest[s, w]
    elif op == SLOPE and valued > 1:
        x = _slope(valued, totals.total[s, w], totals.moment[s, w])
    return x


@inlined
def _slope(n, total, moment):
    """Least-squares change a year, NaN where all values are of one day."""
    spread = moment[1] - moment[0] * moment[0] / n
    if spread > 0:
        return 365.25 * (moment[2] - moment[0] * total / n) / spread
    return np.nan


@inlined
def _distinct(totals, s, w):
    """How many identities have an event in the window."""
    found = 0.0
    for j in range(totals.n_seen[s]):
        found += totals.seen_count[s, j, : w + 1].sum() > 0
    return found


@inlined
def _largest_share(totals, s, w):
    """Share of the window's events that the most frequent identity has."""
    most, everyone = 0, 0
    for j in range(totals.n_seen[s]):
        mine = totals.seen_count[s, j, : w + 1].sum()
        most = max(most, mine)
        everyone += mine
    if everyone > 0:
        return most / everyone
    return np.nan


@jit(
    _nrt=True
)  # makes an array, also when an inlined piece calls it first: a piece that is inlined counts no references
def _median_gap(ages, count):
    """Median of the differences of ``ages[:count]`` (ascending), NaN with fewer than MIN_GAPS gaps."""
    if count < MIN_GAPS + 1:
        return np.nan
    gaps = np.empty(count - 1, np.float64)
    for i in range(count - 1):
        gaps[i] = ages[i + 1] - ages[i]
    return float(np.median(gaps))
