"""Compiled loops over the tables: rows in, margins and contributions out.

Each loop is compiled once and cached (``cache``), runs without the interpreter's lock (``nogil``), and adds in a
fixed order without re-association, so results do not depend on the machine's vector width, the size of the batch or
the number of threads. Parts count references (``_nrt``): without, a batch took a twentieth longer.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.parts import part
from models.shapley.trees import MISSING_NAN, MISSING_ZERO, ZERO

MOST_SPLITS = 8
"""The most splits above a leaf that a one-byte pattern can hold. A deeper tree has no table."""

SLOTS = MOST_SPLITS + 2
"""Patterns stored while a tree is walked: slot 0 is all zeros, slot d holds the pattern of a path of d splits, and
the last slot is the group's own.
"""

BLOCK = 1024
"""Rows per block: enough that a table is fetched once for many rows, few enough that their sums stay in the
second-level cache. Measured: blocks of 256 take 2.3 times as long, of 4,096 1.2 times
(``tests/benchmarks/shapley_variants.py``)."""

FEW = 4
"""Rows that fit side by side into one word. More rows are processed as a block."""


@jit(error_model="numpy")
def explain(  # type: ignore[no-untyped-def]
    X, shap, margin, contributions, margins, expected_value, column_feature, column_missing, cut_start, cuts,
    tree_group, constant, group_step, step_to, step_from, flat_to, flat_from, step_row, step_cut, step_bit,
    feature_start, features, term_group,
    table_start, values,
):  # fmt: skip
    """Fills ``shap`` (rows, features + 1) and ``margin`` (rows), each if requested. The other arguments are the
    arrays of ``Tables``.
    """
    rows, n_features = X.shape
    width = min(rows, BLOCK)
    binned = np.empty((2 * len(column_feature), width), np.uint8)
    column = np.empty(width, np.float64)
    slots = np.zeros((SLOTS, width), np.uint8)
    pattern = slots[SLOTS - 1]
    total = np.empty((n_features if contributions else 0, width), np.float64)
    leaf = np.empty(width, np.float64)
    for first in range(0, rows, BLOCK):
        n = min(BLOCK, rows - first)
        _bin(X, first, n, binned, column, column_feature, column_missing, cut_start, cuts)
        total[:] = 0.0
        if margins:
            margin[first : first + n] = 0.0
        for tree in range(len(constant)):
            leaf[:] = constant[tree]
            for g in range(tree_group[tree], tree_group[tree + 1]):
                _step(
                    group_step[g], group_step[g + 1], n, binned, slots, step_to, step_from, step_row, step_cut, step_bit
                )
                inside = features[feature_start[g] : feature_start[g + 1]]
                table = values[table_start[g] : table_start[g + 1]]
                if contributions:
                    _add(n, total, pattern, inside, table)
                if margins:
                    _add_leaf(n, leaf, pattern, len(inside) + 1, table)
            if margins:
                for r in range(n):
                    margin[first + r] += leaf[r]
        if contributions:
            for r in range(n):
                for f in range(n_features):
                    shap[first + r, f] = total[f, r]
                shap[first + r, n_features] = expected_value


@jit(error_model="numpy")
def explain_few(  # type: ignore[no-untyped-def]
    X, shap, margin, contributions, margins, expected_value, column_feature, column_missing, cut_start, cuts,
    tree_group, constant, group_step, step_to, step_from, flat_to, flat_from, step_row, step_cut, step_bit,
    feature_start, features, term_group,
    table_start, values,
):  # fmt: skip
    """The same for up to ``FEW`` rows (one person's horizons). Same sums in the same order.

    The rows lie side by side: one byte of each in a 16-bit lane of a word. Taking a byte from ``cut + 256`` leaves bit
    8 set where ``byte <= cut``, so one subtraction evaluates a split for all rows, and no lane borrows from another.
    Unused lanes repeat the last row.
    """
    rows, n_features = X.shape
    binned = np.empty((2 * len(column_feature), FEW), np.uint8)
    column = np.empty(FEW, np.float64)
    _bin(X, 0, rows, binned, column, column_feature, column_missing, cut_start, cuts)
    lanes = np.empty(len(binned), np.uint64)
    for c in range(len(binned)):
        lanes[c] = 0
        for r in range(FEW):
            lanes[c] |= np.uint64(binned[c, min(r, rows - 1)]) << np.uint64(16 * r)
    # Flat loops over all steps, groups and terms: short loops would cost branch mispredictions, and many table rows
    # are fetched at a time.
    slots = np.zeros(SLOTS + len(group_step) - 1, np.uint64)
    for i in range(len(flat_to)):
        holds = (np.uint64(step_cut[i]) + np.uint64(256)) * _ONES - lanes[step_row[i]] >> np.uint64(8) & _ONES
        slots[flat_to[i]] = slots[flat_from[i]] | holds << np.uint64(step_bit[i])
    place = np.empty((len(group_step) - 1, FEW), np.uint64)
    for g in range(len(place)):
        pattern = slots[SLOTS + g]
        start, width = feature_start[g], feature_start[g + 1] - feature_start[g] + 1
        for r in range(FEW):
            place[g, r] = np.uint64(table_start[g] - start) + (pattern >> np.uint64(16 * r) & _BYTE) * np.uint64(width)
    score = np.zeros(FEW, np.float64)
    for tree in range(len(constant)):
        a = b = c = d = constant[tree]
        for g in range(tree_group[tree], tree_group[tree + 1]):
            end = np.uint64(feature_start[g + 1])
            a += values[place[g, 0] + end]
            b += values[place[g, 1] + end]
            c += values[place[g, 2] + end]
            d += values[place[g, 3] + end]
        score[0] += a
        score[1] += b
        score[2] += c
        score[3] += d
    total = np.zeros((n_features, FEW), np.float64)
    if contributions:
        for i in range(len(features)):
            f, g, at = features[i], term_group[i], np.uint64(i)
            # Lanes that repeat the last row are left out: their sums took a sixth of the time of a person.
            total[f, 0] += values[place[g, 0] + at]
            if rows > 1:
                total[f, 1] += values[place[g, 1] + at]
            if rows > 2:
                total[f, 2] += values[place[g, 2] + at]
            if rows > 3:
                total[f, 3] += values[place[g, 3] + at]
    for r in range(rows):
        if margins:
            margin[r] = score[r]
        if contributions:
            for f in range(n_features):
                shap[r, f] = total[f, r]
            shap[r, n_features] = expected_value


_BYTE = np.uint64(0xFF)
_ONES = np.uint64(0x0001000100010001)


@part(error_model="numpy", _nrt=True)
def _bin(X, first, n, binned, column, column_feature, column_missing, cut_start, cuts):  # type: ignore[no-untyped-def]
    """One byte per value: the number of cuts below it, so that ``value <= cuts[k]`` is ``byte <= k``. For missing
    values see ``Tables``.
    """
    for c in range(len(column_feature)):
        start, end = cut_start[c], cut_start[c + 1]
        f, kind = column_feature[c], column_missing[c]
        right, left = binned[2 * c], binned[2 * c + 1]
        for r in range(n):
            column[r] = X[first + r, f]
            if kind != MISSING_NAN and np.isnan(column[r]):
                column[r] = 0.0
            # LightGBM sets values this near to 0 to 0 when it reads a row, before it compares them with a threshold.
            if -ZERO <= column[r] <= ZERO:
                column[r] = np.nan if kind == MISSING_ZERO else 0.0
        for r in range(n):
            x = column[r]
            low, size = start, end - start
            while size > 1:
                half = size >> 1
                low = low + half if cuts[low + half - 1] < x else low
                size -= half
            found = np.uint8(low - start + (1 if cuts[low] < x else 0))
            missing = np.isnan(x)
            right[r] = np.uint8(end - start) if missing else found
            left[r] = np.uint8(0) if missing else found


@part(error_model="numpy", _nrt=True)
def _step(first, last, n, binned, slots, step_to, step_from, step_row, step_cut, step_bit):  # type: ignore[no-untyped-def]
    """Takes the steps of one group for ``n`` rows."""
    for i in range(first, last):
        source, to, column = slots[step_from[i]], slots[step_to[i]], binned[step_row[i]]
        cut, bit = step_cut[i], np.uint8(1 << step_bit[i])
        # Two loops: one in place, one between slots. In a single loop the slots may overlap, and the compiler would
        # not use vector instructions.
        if step_from[i] == step_to[i]:
            for r in range(n):
                to[r] |= bit if column[r] <= cut else np.uint8(0)
        else:
            for r in range(n):
                to[r] = source[r] | (bit if column[r] <= cut else np.uint8(0))


@part(error_model="numpy", _nrt=True)
def _add(n, total, pattern, features, table):  # type: ignore[no-untyped-def]
    """Adds one group's table rows to the sums of its features: four features at a time, then two, then one."""
    k = len(features)
    j = 0
    while j + 4 <= k:
        a, b, c, d = total[features[j]], total[features[j + 1]], total[features[j + 2]], total[features[j + 3]]
        for r in range(n):
            at = np.int64(pattern[r]) * (k + 1) + j
            a[r] += table[at]
            b[r] += table[at + 1]
            c[r] += table[at + 2]
            d[r] += table[at + 3]
        j += 4
    while j + 2 <= k:
        a, b = total[features[j]], total[features[j + 1]]
        for r in range(n):
            at = np.int64(pattern[r]) * (k + 1) + j
            a[r] += table[at]
            b[r] += table[at + 1]
        j += 2
    while j < k:
        a = total[features[j]]
        for r in range(n):
            a[r] += table[np.int64(pattern[r]) * (k + 1) + j]
        j += 1


@part(error_model="numpy", _nrt=True)
def _add_leaf(n, leaf, pattern, width, table):  # type: ignore[no-untyped-def]
    """Adds the value of the leaf that each row reaches. At most one group of a tree gives a value other than 0, so
    the sum over groups is exact.
    """
    for r in range(n):
        leaf[r] += table[np.int64(pattern[r]) * width + width - 1]
