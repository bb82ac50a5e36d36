"""Compiled loop over spells: stays and referrals, which have a first and a last day."""

from __future__ import annotations

import numpy as np

from features.jit import jit


@jit(_nrt=False)
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
