"""Compiled loops: for each row of the spine, walk the person's events backwards once and fill every window and
aggregate of those streams.

Both clocks are checked in the loop: an event counts only where ``day < as_of`` and ``known < as_of``. Kernels take
plain arrays, allocate per call, release the GIL and write only their own rows, so shards of patients run in threads.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.bitsets import lowest_bit
from features.kernels.window_ops import COUNT, TOTAL, clear_runs, follow, runs_of, value_of
from features.kernels.window_totals import (
    NEEDS_ENDS,
    NEEDS_NEWEST,
    accumulate,
    add_event,
    clear,
    empty_totals,
    that_need,
    wanted_in,
)


@jit(_nrt=False)
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
def sums_kernel(
    offsets, day, known, value, person, as_of, out_row, windows, ops, out
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
            w = ops[k].window
            x = np.nan
            if ops[k].op == COUNT:
                x = count[w]
            elif ops[k].op == TOTAL:
                x = total[w]
            elif valued[w] > 0:
                x = total[w] / valued[w]
            out[out_row[r], ops[k].column] = x


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
    weights,
    needs,
    depth,
    ops,
    out,
):
    """Counts, totals, recency, extremes, trends and shares of up to 64 streams of one table.

    ``bits`` (uint64, one an event; empty where there is one stream) says which streams an event belongs to; ``until``
    (empty where every event stands) the last day on which it stands.
    ``windows`` ascends; its last entry is the whole history, of which nothing before ``deepest`` days is asked for.
    ``weights`` [half-life, age] says what an event counts by its age where events fade.
    ``depth`` [stream] is the number of windows of which every event is read. Beyond, only the newest event is, where
    the stream needs it. So an old event mostly costs one test, and the walk ends where nothing is left to find.
    ``ops`` (ASKED) are the features.

    A person has events of few of the streams: only those (``met``) are cleared, and made cumulative.
    """
    totals, runs = empty_totals(needs, windows.shape[0], weights.shape[0]), runs_of(ops)
    wanted, newest = wanted_in(depth, windows.shape[0]), that_need(needs, NEEDS_NEWEST)
    valued, met = that_need(needs, NEEDS_ENDS), np.uint64(0)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        while met != 0:
            s = lowest_bit(met)
            met &= met - np.uint64(1)
            clear(totals, s, needs[s], depth[s])
        clear_runs(runs)
        w, start, seeking = 0, offsets[who], newest
        i = bisect(day, start, offsets[who + 1], t) - 1
        while i >= start and t - day[i] <= deepest:
            age = t - day[i]
            while age > windows[w]:
                w += 1
            asked = wanted[w] | seeking
            if asked == 0:
                break
            mask = (bits[i] if bits.shape[0] > 0 else np.uint64(1)) & asked
            if mask != 0 and known[i] < t and (until.shape[0] == 0 or until[i] >= t):
                follow(runs, mask, ops)
                new = mask & ~met
                met |= mask
                while new != 0:
                    totals.stream[lowest_bit(new)].last_age = age
                    new &= new - np.uint64(1)
                seeking &= ~mask | (valued if valued != 0 and np.isnan(value[i]) else np.uint64(0))
                while mask != 0:
                    s = lowest_bit(mask)
                    mask &= mask - np.uint64(1)
                    add_event(totals, s, w, needs[s], age, value, ident, weights, i)
            i -= 1
        left = met
        while left != 0:
            s = lowest_bit(left)
            left &= left - np.uint64(1)
            accumulate(totals, s, needs[s], depth[s])
        row = out_row[r]
        for k in range(ops.shape[0]):
            out[row, ops[k].column] = value_of(ops[k], totals, runs, k)
