"""Exact path-dependent Shapley values of a LightGBM booster, at about the cost of prediction.

``TreeShapley`` gives what ``booster.predict(X, pred_contrib=True)`` gives. At construction the trees are tabulated (``models/tables.py``); at run time,
for blocks of rows: every value becomes one byte, the splits of a tree become one byte per group of leaves, and each feature's sum is gathered from
the tables. All sums are in double precision and in one order, so a row scores the same alone, in a batch, and on any number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import lightgbm
import numba
import numpy as np
from numpy.typing import NDArray

from models.errors import FeatureMismatch
from models.tables import Tables, can_tabulate, tabulate
from models.trees import MISSING_NAN, MISSING_ZERO, ZERO, read_trees

Floats = NDArray[np.float64]

_BLOCK = 1024


class TreeShapley:
    """Exact contributions and margins of one booster. Immutable; may be used from several threads at once.

    Takes a booster or its text. Trees deeper than the tables reach are explained by LightGBM itself: slower, equally exact. Categorical splits, linear
    leaves and several classes raise ``TreesError``.
    """

    def __init__(self, booster: lightgbm.Booster | str) -> None:
        trees = read_trees(booster)
        self.n_features = trees.n_features
        self._tables: Tables | None = tabulate(trees) if can_tabulate(trees) else None
        self._booster: lightgbm.Booster | None = None
        if self._tables is None:
            text = booster if isinstance(booster, str) else booster.model_to_string()
            self._booster = lightgbm.Booster(model_str=text)
            self.expected_value = float(self._predict(np.zeros((1, self.n_features)), pred_contrib=True)[0, -1])
        else:
            self._arguments: tuple[Any, ...] = tuple(vars(self._tables)[name] for name in _ARGUMENTS)
            self.expected_value = self._tables.expected_value

    @property
    def tabulated(self) -> bool:
        """Whether the fast tables serve; otherwise LightGBM does."""
        return self._tables is not None

    @property
    def table_bytes(self) -> int:
        return 0 if self._tables is None else self._tables.nbytes

    def contributions(self, X: NDArray[np.floating], threads: int = 1) -> Floats:
        """(rows, features) to float64 (rows, features + 1); the last column is the expected value. Raises ``FeatureMismatch``."""
        X = self._checked(X)
        if self._tables is None:
            return self._predict(X, threads, pred_contrib=True)
        return self._run(X, threads, contributions=True, margins=False)[0]

    def margins(self, X: NDArray[np.floating], threads: int = 1) -> Floats:
        """(rows, features) to the raw score, float64 (rows,): to the bit what ``booster.predict(X, raw_score=True)`` gives."""
        X = self._checked(X)
        if self._tables is None:
            return self._predict(X, threads, raw_score=True)
        return self._run(X, threads, contributions=False, margins=True)[1]

    def explain(self, X: NDArray[np.floating], threads: int = 1) -> tuple[Floats, Floats]:
        """Margins and contributions in one pass."""
        X = self._checked(X)
        if self._tables is None:
            return self._predict(X, threads, raw_score=True), self._predict(X, threads, pred_contrib=True)
        contributions, margins = self._run(X, threads, contributions=True, margins=True)
        return margins, contributions

    def _checked(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        if X.ndim != 2 or X.shape[1] != self.n_features or X.dtype not in (np.float32, np.float64):
            raise FeatureMismatch(
                f"matrix of {X.dtype} with shape {X.shape}: expected float32 or float64 with shape (rows, {self.n_features})"
            )
        return np.ascontiguousarray(X)

    def _run(self, X: NDArray[np.floating], threads: int, *, contributions: bool, margins: bool) -> tuple[Floats, Floats]:
        rows = len(X)
        shap = np.empty((rows if contributions else 0, self.n_features + 1))
        margin = np.empty(rows if margins else 0)

        def work(first: int, last: int) -> None:
            _explain(X[first:last], shap[first:last], margin[first:last], contributions, margins, *self._arguments)

        share = -(-rows // max(1, threads)) if rows > _BLOCK else max(rows, 1)
        starts = range(0, rows, share)
        if len(starts) <= 1:
            work(0, rows)
        else:
            with ThreadPoolExecutor(len(starts)) as pool:
                list(pool.map(work, starts, [min(first + share, rows) for first in starts]))
        return shap, margin

    def _predict(self, X: NDArray[np.floating], threads: int = 1, **kind: bool) -> Floats:
        assert self._booster is not None
        return cast(Floats, self._booster.predict(X, num_threads=threads, **kind))


_ARGUMENTS = (
    "expected_value slots column_feature column_missing column_left cut_start cuts chunk_step step_to step_from step_column step_cut step_bit "
    "chunk_run run_feature run_term term_slot term_table values chunk_tree tree_group group_slot leaf_table leaf_values constant"
).split()


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _explain(  # type: ignore[no-untyped-def]
    X, shap, margin, contributions, margins, expected_value, slots, column_feature, column_missing, column_left, cut_start, cuts,
    chunk_step, step_to, step_from, step_column, step_cut, step_bit, chunk_run, run_feature, run_term, term_slot, term_table, values,
    chunk_tree, tree_group, group_slot, leaf_table, leaf_values, constant,
):  # fmt: skip
    """Fill ``shap`` (rows, features + 1) and ``margin`` (rows), each where asked for; the rest are the arrays of ``Tables``."""
    rows, features = X.shape
    width = min(rows, _BLOCK)
    binned = np.empty((len(column_feature), width), np.uint8)
    pattern = np.zeros((slots, width), np.uint8)
    total = np.empty((features if contributions else 0, width), np.float64)
    for first in range(0, rows, _BLOCK):
        n = min(_BLOCK, rows - first)
        _bin(X, first, n, binned, column_feature, column_missing, column_left, cut_start, cuts)
        total[:] = 0.0
        if margins:
            margin[first : first + n] = 0.0
        for chunk in range(len(chunk_step) - 1):
            _find_patterns(chunk_step[chunk], chunk_step[chunk + 1], n, binned, pattern, step_to, step_from, step_column, step_cut, step_bit)
            if contributions:
                for run in range(chunk_run[chunk], chunk_run[chunk + 1]):
                    _add_terms(run_term[run], run_term[run + 1], n, total[run_feature[run]], pattern, term_slot, term_table, values)
            if margins:
                for tree in range(chunk_tree[chunk], chunk_tree[chunk + 1]):
                    _add_tree(tree_group[tree], tree_group[tree + 1], first, n, margin, pattern, group_slot, leaf_table, leaf_values, constant[tree])
        if contributions:
            for r in range(n):
                for f in range(features):
                    shap[first + r, f] = total[f, r]
                shap[first + r, features] = expected_value


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _bin(X, first, n, binned, column_feature, column_missing, column_left, cut_start, cuts):  # type: ignore[no-untyped-def]
    """One byte per value: how many cuts lie below it, so that ``value <= cuts[k]`` is ``byte <= k``; what is missing lies below all or above all."""
    for c in range(len(column_feature)):
        start, end = cut_start[c], cut_start[c + 1]
        f, kind, left = column_feature[c], column_missing[c], column_left[c]
        for r in range(n):
            x = np.float64(X[first + r, f])
            if np.isnan(x):
                if kind == MISSING_NAN:
                    binned[c, r] = 0 if left else end - start
                    continue
                x = 0.0
            if kind == MISSING_ZERO and -ZERO <= x <= ZERO:
                binned[c, r] = 0 if left else end - start
                continue
            low, size = start, end - start
            while size > 1:
                half = size >> 1
                low = low + half if cuts[low + half - 1] < x else low
                size -= half
            binned[c, r] = low - start + (1 if cuts[low] < x else 0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _find_patterns(first, last, n, binned, pattern, step_to, step_from, step_column, step_cut, step_bit):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        source, to, column = pattern[step_from[i]], pattern[step_to[i]], binned[step_column[i]]
        cut, bit = step_cut[i], np.uint8(1 << step_bit[i])
        # Two loops: one in place, one from slot to slot. In a single loop the two may overlap, and the compiler would not use vector instructions.
        if step_from[i] == step_to[i]:
            for r in range(n):
                to[r] |= bit if column[r] <= cut else np.uint8(0)
        else:
            for r in range(n):
                to[r] = source[r] | (bit if column[r] <= cut else np.uint8(0))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_terms(first, last, n, total, pattern, term_slot, term_table, values):  # type: ignore[no-untyped-def]
    """Add the terms of one feature, four at a time so that a sum is read and written once for four look-ups."""
    i = first
    while i + 4 <= last:
        a, b, c, d = pattern[term_slot[i]], pattern[term_slot[i + 1]], pattern[term_slot[i + 2]], pattern[term_slot[i + 3]]
        va, vb, vc, vd = values[term_table[i] :], values[term_table[i + 1] :], values[term_table[i + 2] :], values[term_table[i + 3] :]
        for r in range(n):
            total[r] += (va[a[r]] + vb[b[r]]) + (vc[c[r]] + vd[d[r]])
        i += 4
    while i < last:
        a, va = pattern[term_slot[i]], values[term_table[i] :]
        for r in range(n):
            total[r] += va[a[r]]
        i += 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_tree(first_group, last_group, first, n, margin, pattern, group_slot, leaf_table, leaf_values, constant):  # type: ignore[no-untyped-def]
    """Add one tree's leaf value to each margin. One group holds the row's leaf and the others give 0, so the sum over groups is exact."""
    for r in range(n):
        value = constant
        for g in range(first_group, last_group):
            value += leaf_values[leaf_table[g] + pattern[group_slot[g], r]]
        margin[first + r] += value
