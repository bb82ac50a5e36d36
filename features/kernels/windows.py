"""Compiled loops: for each row of the spine, walk the person's events backwards once and fill every window and
aggregate of those streams.

Both clocks are checked in the loop: an event counts only where ``day < as_of`` and ``known < as_of``. Kernels take
plain arrays, allocate per call, release the GIL and write only their own rows, so shards of patients run in threads.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.bitsets import lowest_bit

COUNT, TOTAL, MEAN, HIGHEST, LOWEST, LATEST, CHANGE, SLOPE = 0, 1, 2, 3, 4, 5, 6, 7
DISTINCT, SHARE, SINCE_LAST, SINCE_FIRST, COUNT_SINCE, RECENT_SHARE, GAP_RATIO = 8, 9, 10, 11, 12, 13, 14
PERCENT_CHANGE, USUAL_PROVIDER, NEVER_RECORDED = 15, 16, 17

ADDED = (COUNT, TOTAL, MEAN)
"""What is only added up."""

NEEDS_VALUES, NEEDS_DISTINCT, NEEDS_GAPS, NEEDS_EXTREMES, NEEDS_ENDS, NEEDS_TREND = 1, 2, 4, 8, 16, 32
"""What a stream's features ask of its events beside their number: a walk keeps nothing that nobody reads."""
KEPT_AGES = 64
"""How many of the latest events a person's usual gap is taken from."""
MIN_GAPS = 2
"""A usual gap needs at least this many gaps between events."""


@jit()
def bisect(days: np.ndarray, first: int, last: int, as_of: int) -> int:
    """First position in days[first:last] (ascending) that is not before ``as_of``."""
    while first < last:
        middle = (first + last) // 2
        if days[middle] < as_of:
            first = middle + 1
        else:
            last = middle
    return first


@jit()
def _median_gap(ages: np.ndarray, count: int) -> float:
    """Median of the differences of ``ages[:count]`` (ascending), NaN with fewer than MIN_GAPS gaps."""
    if count < MIN_GAPS + 1:
        return np.nan
    gaps = np.empty(count - 1, np.float64)
    for i in range(count - 1):
        gaps[i] = ages[i + 1] - ages[i]
    return float(np.median(gaps))


@jit()
def sums_kernel(
    offsets, day, known, value, person, as_of, out_row, windows, ops, op_window, op_column, out
):  # fmt: skip
    """Counts, totals and means (``ADDED``) of one stream of events, three times as fast as the general loop of
    :func:`window_kernel`.

    The same sums in the same order: within a window from the newest event to the oldest, then window upon window. A
    later row of the same person continues from the newest event of the row before; what is not visible adds nothing
    instead of being stepped over, so the only jumps are those at the ends of windows. ``value`` is empty where
    nothing but events is counted.
    """
    n_windows = windows.shape[0]
    count, valued, total = np.zeros(n_windows), np.zeros(n_windows), np.zeros(n_windows)
    before, reached, last = -1, 0, 0
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        start, end = offsets[who], offsets[who + 1]
        if who != before or t < reached:
            last = start
        before, reached = who, t
        while last < end and day[last] < t:
            last += 1
        events, known_values, added = 0, 0, 0.0
        i = last - 1
        for w in range(n_windows):
            first = t - windows[w]
            inside = 0.0
            if value.shape[0] > 0:
                while i >= start and day[i] >= first:
                    v = value[i]
                    visible = known[i] < t
                    has_value = visible and v == v
                    events += visible
                    known_values += has_value
                    inside += v if has_value else 0.0
                    i -= 1
            else:
                while i >= start and day[i] >= first:
                    events += known[i] < t
                    i -= 1
            added += inside
            count[w], valued[w], total[w] = events, known_values, added
        for k in range(ops.shape[0]):
            w = op_window[k]
            x = np.nan
            if ops[k] == COUNT:
                x = count[w]
            elif ops[k] == TOTAL:
                x = total[w]
            elif valued[w] > 0:
                x = total[w] / valued[w]
            out[out_row[r], op_column[k]] = x


@jit()
def window_kernel(
    offsets,
    day,
    known,
    until,
    bits,
    value,
    ident,
    person,
    as_of,
    out_row,
    windows,
    deepest,
    needs,
    ops,
    op_stream,
    op_other,
    op_window,
    op_number,
    op_column,
    out,
):
    """Counts, totals, recency, extremes, trends and shares of up to 64 streams of one table.

    ``bits`` (uint64, one an event; empty where there is one stream) says which streams an event belongs to; ``until``
    (empty where every event stands) the last day on which it stands.
    ``windows`` ascends; its last entry is the whole history, of which nothing before ``deepest`` days is asked for.
    ``ops`` and its companions are the features: operation, stream, other stream, window index, number, column of
    ``out``.

    Of many streams a person has events of few: only those are added up, and emptied again for the next row.
    """
    streams = needs.shape[0]
    n_windows = windows.shape[0]
    n_ops = ops.shape[0]
    count = np.zeros((streams, n_windows), np.float64)
    valued = np.zeros((streams, n_windows), np.float64)
    total = np.zeros((streams, n_windows), np.float64)
    high = np.full((streams, n_windows), -np.inf)
    low = np.full((streams, n_windows), np.inf)
    oldest = np.full((streams, n_windows), np.nan)
    moment = np.zeros((streams, n_windows, 3), np.float64)
    last_age = np.full(streams, -1, np.int64)
    first_age = np.full(streams, -1, np.int64)
    last_value = np.full(streams, np.nan)
    asked = 0
    for s in range(streams):
        asked |= needs[s]
    ages = np.zeros((streams if asked & NEEDS_GAPS else 0, KEPT_AGES), np.float64)
    n_ages = np.zeros(streams, np.int64)
    distinct = streams if asked & NEEDS_DISTINCT else 0
    seen = np.zeros((distinct, KEPT_AGES), np.int64)
    seen_count = np.zeros((distinct, KEPT_AGES, n_windows), np.int64)
    n_seen = np.zeros(streams, np.int64)
    met = np.zeros(streams, np.int64)
    n_met = 0
    op_count = np.zeros(n_ops, np.float64)
    op_seen = np.zeros(n_ops, np.float64)
    walking = np.zeros(n_ops, np.int64)
    walks = 0
    for k in range(n_ops):
        if ops[k] == COUNT_SINCE or ops[k] == RECENT_SHARE:
            walking[walks] = k
            walks += 1
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        for m in range(n_met):
            s = met[m]
            need = needs[s]
            last_age[s], first_age[s], last_value[s], n_ages[s], n_seen[s] = -1, -1, np.nan, 0, 0
            for w in range(n_windows):
                count[s, w] = 0.0
                if need & NEEDS_VALUES:
                    valued[s, w], total[s, w] = 0.0, 0.0
                if need & NEEDS_EXTREMES:
                    high[s, w], low[s, w] = -np.inf, np.inf
                if need & NEEDS_ENDS:
                    oldest[s, w] = np.nan
                if need & NEEDS_TREND:
                    moment[s, w] = 0.0
        n_met = 0
        for m in range(walks):
            op_count[walking[m]] = 0.0
            op_seen[walking[m]] = 0.0
        start = offsets[who]
        i = bisect(day, start, offsets[who + 1], t) - 1
        w = 0
        while i >= start and t - day[i] <= deepest:
            if known[i] < t and (until.shape[0] == 0 or until[i] >= t):
                mask = bits[i] if bits.shape[0] > 0 else np.uint64(1)
                age = t - day[i]
                while age > windows[w]:
                    w += 1
                for m in range(walks):
                    k = walking[m]
                    mine = (mask >> np.uint64(op_stream[k])) & np.uint64(1)
                    other = (mask >> np.uint64(op_other[k])) & np.uint64(1)
                    if ops[k] == COUNT_SINCE:
                        if other:
                            op_seen[k] = 1.0
                        elif mine and op_seen[k] == 0.0:
                            op_count[k] += 1.0
                    elif other and op_seen[k] < op_number[k]:
                        op_seen[k] += 1.0
                        if mine:
                            op_count[k] += 1.0
                while mask != 0:
                    s = lowest_bit(mask)
                    mask &= mask - np.uint64(1)
                    count[s, w] += 1.0
                    if last_age[s] < 0:
                        last_age[s] = age
                        met[n_met] = s
                        n_met += 1
                    first_age[s] = age
                    need = needs[s]
                    if need & NEEDS_VALUES:
                        v = value[i]
                        if not np.isnan(v):
                            valued[s, w] += 1.0
                            total[s, w] += v
                            if need & NEEDS_EXTREMES:
                                high[s, w] = max(high[s, w], v)
                                low[s, w] = min(low[s, w], v)
                            if need & NEEDS_ENDS:
                                if np.isnan(last_value[s]):
                                    last_value[s] = v
                                oldest[s, w] = v
                            if need & NEEDS_TREND:
                                moment[s, w, 0] -= age
                                moment[s, w, 1] += float(age) * age
                                moment[s, w, 2] -= age * v
                    if need & NEEDS_GAPS and n_ages[s] < KEPT_AGES:
                        ages[s, n_ages[s]] = age
                        n_ages[s] += 1
                    if need & NEEDS_DISTINCT and ident[i] >= 0:
                        j = 0
                        while j < n_seen[s] and seen[s, j] != ident[i]:
                            j += 1
                        if j == n_seen[s] and j < KEPT_AGES:
                            seen[s, j] = ident[i]
                            seen_count[s, j] = 0
                            n_seen[s] += 1
                        if j < KEPT_AGES:
                            seen_count[s, j, w] += 1
            i -= 1
        for m in range(n_met):
            s = met[m]
            need = needs[s]
            for w in range(1, n_windows):
                count[s, w] += count[s, w - 1]
                if need & NEEDS_VALUES:
                    valued[s, w] += valued[s, w - 1]
                    total[s, w] += total[s, w - 1]
                if need & NEEDS_EXTREMES:
                    high[s, w] = max(high[s, w], high[s, w - 1])
                    low[s, w] = min(low[s, w], low[s, w - 1])
                if need & NEEDS_ENDS and np.isnan(oldest[s, w]):
                    oldest[s, w] = oldest[s, w - 1]
                if need & NEEDS_TREND:
                    for part in range(3):
                        moment[s, w, part] += moment[s, w - 1, part]
        for k in range(n_ops):
            op, s, w = ops[k], op_stream[k], op_window[k]
            x = np.nan
            if op == COUNT:
                x = count[s, w]
            elif op == SINCE_LAST:
                if last_age[s] >= 0:
                    x = last_age[s]
            elif op == SINCE_FIRST:
                if first_age[s] >= 0:
                    x = first_age[s]
            elif op == SHARE:
                if count[op_other[k], w] > 0:
                    x = count[s, w] / count[op_other[k], w]
            elif op == COUNT_SINCE:
                x = op_count[k]
            elif op == RECENT_SHARE:
                if op_seen[k] > 0:
                    x = op_count[k] / op_seen[k]
            elif op == TOTAL:
                x = total[s, w]
            elif op == LATEST:
                x = last_value[s]
            elif op == MEAN:
                if valued[s, w] > 0:
                    x = total[s, w] / valued[s, w]
            elif op == HIGHEST:
                if valued[s, w] > 0:
                    x = high[s, w]
            elif op == LOWEST:
                if valued[s, w] > 0:
                    x = low[s, w]
            elif op == CHANGE:
                if valued[s, w] > 1:
                    x = last_value[s] - oldest[s, w]
            elif op == SLOPE:
                n = valued[s, w]
                if n > 1:
                    spread = moment[s, w, 1] - moment[s, w, 0] * moment[s, w, 0] / n
                    if spread > 0:
                        x = 365.25 * (moment[s, w, 2] - moment[s, w, 0] * total[s, w] / n) / spread
            elif op == DISTINCT:
                x = 0.0
                for j in range(n_seen[s]):
                    x += seen_count[s, j, : w + 1].sum() > 0
            elif op == USUAL_PROVIDER:
                most, all_of_them = 0, 0
                for j in range(n_seen[s]):
                    mine = seen_count[s, j, : w + 1].sum()
                    most = max(most, mine)
                    all_of_them += mine
                if all_of_them > 0:
                    x = most / all_of_them
            elif op == NEVER_RECORDED:
                x = 0.0 if last_age[s] >= 0 else 1.0
            elif op == PERCENT_CHANGE:
                if valued[s, w] > 1 and oldest[s, w] > 0:
                    x = 100.0 * (last_value[s] - oldest[s, w]) / oldest[s, w]
            elif op == GAP_RATIO:
                usual = _median_gap(ages[s], n_ages[s])
                if usual >= 1:
                    x = last_age[s] / usual
            out[out_row[r], op_column[k]] = x


@jit()
def spell_kernel(offsets, start, known, end, end_known, keep, person, as_of, out_row, windows, lengths, columns, out):
    """Days inside spells (stays, referrals) that overlap each window, and the length so far of the spell that is open.

    A spell whose end is not known by ``as_of`` is open. ``lengths[k]`` is 1 where feature ``k`` is the open spell's
    length, else 0.
    """
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        for k in range(columns.shape[0]):
            x = np.nan if lengths[k] else 0.0
            for i in range(offsets[who], offsets[who + 1]):
                if start[i] >= t or known[i] >= t or not keep[k, i]:
                    continue
                over = end_known[i] < t and end[i] < t
                if lengths[k]:
                    if not over:
                        x = t - start[i]
                    continue
                first = start[i] if windows[k] == 0 else max(start[i], t - windows[k])
                last = end[i] if over else t
                if last > first:
                    x += last - first
            out[out_row[r], columns[k]] = x
