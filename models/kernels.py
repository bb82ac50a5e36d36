"""Compiled loops over the tables: rows in, margins and contributions out.

Each loop is compiled once and kept (``cache``), runs without the interpreter's lock (``nogil``), and adds in a fixed order without re-association, so
results do not depend on the machine's vector width, the size of the batch or the number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from models.tables import SLOTS
from models.trees import MISSING_NAN, MISSING_ZERO, ZERO

BLOCK = 1024
"""Rows taken together: enough that a table is fetched once for many rows, few enough that their sums stay in the second-level cache."""

FEW = 3
"""Up to so many rows go one at a time (one person's horizons); measured on real-sized models, more are faster as a block."""


@numba.njit(nogil=True, cache=True, error_model="numpy")
def explain(  # type: ignore[no-untyped-def]
    X, shap, margin, contributions, margins, expected_value, column_feature, column_missing, cut_start, cuts, tree_group, constant,
    group_step, group_own, step_to, step_from, step_row, step_cut, step_bit, feature_start, features, table_start, values,
):  # fmt: skip
    """Fill ``shap`` (rows, features + 1) and ``margin`` (rows), each where asked for; the rest are the arrays of ``Tables``."""
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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def explain_few(  # type: ignore[no-untyped-def]
    X, shap, margin, contributions, margins, expected_value, column_feature, column_missing, cut_start, cuts, tree_group, constant,
    group_step, group_own, step_to, step_from, step_row, step_cut, step_bit, feature_start, features, table_start, values,
):  # fmt: skip
    """The same for a few rows, one at a time: every split is evaluated once and no block is set up. Same sums in the same order."""
    rows, n_features = X.shape
    binned = np.empty((2 * len(column_feature), 1), np.uint8)
    column = np.empty(1, np.float64)
    slots = np.zeros(SLOTS, np.uint8)
    for r in range(rows):
        _bin(X, r, 1, binned, column, column_feature, column_missing, cut_start, cuts)
        if contributions:
            shap[r, :n_features] = 0.0
            shap[r, n_features] = expected_value
        score = 0.0
        for tree in range(len(constant)):
            leaf = constant[tree]
            for g in range(tree_group[tree], tree_group[tree + 1]):
                own = group_own[g]
                for i in range(group_step[g], own):
                    holds = np.uint8(binned[step_row[i], 0] <= step_cut[i])
                    slots[step_to[i]] = slots[step_from[i]] | np.uint8(holds << step_bit[i])
                pattern = np.int64(slots[step_from[own]])
                for i in range(own, group_step[g + 1]):
                    pattern |= np.int64(binned[step_row[i], 0] <= step_cut[i]) << step_bit[i]
                start, end = feature_start[g], feature_start[g + 1]
                row = table_start[g] + pattern * (end - start + 1)
                if contributions:
                    for j in range(end - start):
                        shap[r, features[start + j]] += values[row + j]
                leaf += values[row + end - start]
            score += leaf
        if margins:
            margin[r] = score


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _bin(X, first, n, binned, column, column_feature, column_missing, cut_start, cuts):  # type: ignore[no-untyped-def]
    """One byte per value: how many cuts lie below it, so that ``value <= cuts[k]`` is ``byte <= k``; see ``Tables`` for what is missing."""
    for c in range(len(column_feature)):
        start, end = cut_start[c], cut_start[c + 1]
        f, kind = column_feature[c], column_missing[c]
        right, left = binned[2 * c], binned[2 * c + 1]
        for r in range(n):
            column[r] = X[first + r, f]
            if kind != MISSING_NAN and np.isnan(column[r]):
                column[r] = 0.0
            # LightGBM leaves out what is this near to 0 when it reads a row, so it is 0 before any threshold is met.
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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _step(first, last, n, binned, slots, step_to, step_from, step_row, step_cut, step_bit):  # type: ignore[no-untyped-def]
    """Take the steps of one group for ``n`` rows."""
    for i in range(first, last):
        source, to, column = slots[step_from[i]], slots[step_to[i]], binned[step_row[i]]
        cut, bit = step_cut[i], np.uint8(1 << step_bit[i])
        # Two loops: one in place, one from slot to slot. In a single loop the two may overlap, and the compiler would not use vector instructions.
        if step_from[i] == step_to[i]:
            for r in range(n):
                to[r] |= bit if column[r] <= cut else np.uint8(0)
        else:
            for r in range(n):
                to[r] = source[r] | (bit if column[r] <= cut else np.uint8(0))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add(n, total, pattern, features, table):  # type: ignore[no-untyped-def]
    """Add one group's table rows to the sums of its features: four features, then two, then one at a time."""
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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_leaf(n, leaf, pattern, width, table):  # type: ignore[no-untyped-def]
    """Add the value of the leaf that each row reaches; at most one group of a tree gives other than 0, so the sum over groups is exact."""
    for r in range(n):
        leaf[r] += table[np.int64(pattern[r]) * width + width - 1]
