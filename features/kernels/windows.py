"""Compiled loops: for each row of the spine, walk the person's events backwards once and fill every window and
aggregate of those streams.

Both clocks are checked in the loop: an event counts only where ``day < as_of`` and ``known < as_of``. Kernels take
plain arrays, allocate per call, release the GIL and write only their own rows, so shards of patients run in threads.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.bitsets import lowest_bit
from features.kernels.settled import has_settled
from features.kernels.window_ops import COUNT, TOTAL, clear_runs, follow, runs_of, streams_read, undecided, value_of
from features.kernels.window_totals import (
    NEEDS_ENDS,
    NEEDS_NEWEST,
    NEEDS_OLDEST,
    accumulate,
    add_event,
    carry,
    clear,
    empty_totals,
    end_with,
    ends_of,
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
    ``weights`` [age, half-life] says what an event counts by its age where events fade.
    ``depth`` [stream] is the number of windows of which every event is read. Beyond, only the newest event is, where
    the stream needs it. So an old event mostly costs one test, and the walk ends where nothing is left to find.
    ``ops`` (ASKED) are the features.

    A person has events of few of the streams (``theirs``): only those are looked for, and only of those met in a walk
    (``met``) are totals cleared, made cumulative and read. All other features are those of a person without an event.

    On several days of one person the newest and the oldest of the events that are settled (the first of ``past``) are
    carried from day to day (``ends``), and nothing is sought among them.
    """
    totals, runs = empty_totals(needs, windows.shape[0], weights.shape[1]), runs_of(ops)
    wanted, newest = wanted_in(depth, windows.shape[0]), that_need(needs, NEEDS_NEWEST)
    valued, met, oldest = that_need(needs, NEEDS_ENDS), np.uint64(0), that_need(needs, NEEDS_OLDEST)
    ends, past = ends_of(needs.shape[0]), 0
    reads, nothing = streams_read(ops), np.empty(ops.shape[0])
    for k in range(ops.shape[0]):
        nothing[k] = value_of(ops[k], totals, runs, k)
    before, reached, last, theirs, carried = -1, 0, 0, np.uint64(1), np.uint64(0)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        start, end = offsets[who], offsets[who + 1]
        if who != before or t < reached:
            last, past, carried = bisect(day, start, end, t), start, np.uint64(0)
            if bits.shape[0] > 0:
                theirs = np.uint64(0)
                for i in range(start, end):
                    theirs |= bits[i]
        before, reached = who, t
        while last < end and day[last] < t:
            last += 1
        if r + 1 < person.shape[0] and person[r + 1] == who:
            while past < last and has_settled(known, until, past, t):
                if until.shape[0] == 0 or until[past] >= t:
                    mask = (bits[past] if bits.shape[0] > 0 else np.uint64(1)) & (newest | oldest)
                    carry(ends, mask, carried, day[past], value[past] if valued != 0 else np.nan)
                    carried |= mask
                past += 1
        while met != 0:
            s = lowest_bit(met)
            met &= met - np.uint64(1)
            clear(totals, s, needs[s], depth[s])
        clear_runs(runs)
        w, seeking, running = 0, newest & theirs, undecided(runs, ops, theirs)
        i = last - 1
        while i >= start and t - day[i] <= deepest:
            age = t - day[i]
            while age > windows[w]:
                w += 1
            asked = (wanted[w] & theirs) | running
            if i >= past:
                asked |= seeking | (oldest & theirs)
            if asked == 0:
                break
            mask = (bits[i] if bits.shape[0] > 0 else np.uint64(1)) & asked
            if mask != 0 and known[i] < t and (until.shape[0] == 0 or until[i] >= t):
                if mask & runs.streams:
                    follow(runs, mask, ops)
                    if running != 0:
                        running = undecided(runs, ops, theirs)
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
        left = carried & (seeking | oldest)
        met |= left
        while left != 0:
            s = lowest_bit(left)
            left &= left - np.uint64(1)
            end_with(totals.stream[s], ends[s], needs[s], t)
        left = met
        while left != 0:
            s = lowest_bit(left)
            left &= left - np.uint64(1)
            accumulate(totals, s, needs[s], depth[s])
        row = out_row[r]
        for k in range(ops.shape[0]):
            x = nothing[k]
            if reads[k] & met:
                x = value_of(ops[k], totals, runs, k)
            out[row, ops[k].column] = x
