"""Exact path-dependent Shapley values of a LightGBM booster, at about the cost of prediction.

``TreeShapley`` gives what ``booster.predict(X, pred_contrib=True)`` gives. At construction the trees are tabulated
(``models/shapley/tables.py``); at run time, for blocks of rows: every value becomes one byte, the splits of a tree
become one byte per group of leaves, and each feature's sum is gathered from the tables. All sums are in double
precision and in one order, so a row scores the same alone, in a batch, and on any number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import FeatureMismatch
from models.shapley.kernels import BLOCK, FEW, explain, explain_few
from models.shapley.tables import Tables, can_tabulate, tabulate
from models.shapley.trees import read_trees

if TYPE_CHECKING:
    import lightgbm

Floats = NDArray[np.float64]


# The arrays of Tables in the order of the kernels' arguments.
_ARGUMENTS = (
    "expected_value",
    "column_feature",
    "column_missing",
    "cut_start",
    "cuts",
    "tree_group",
    "constant",
    "group_step",
    "step_to",
    "step_from",
    "flat_to",
    "flat_from",
    "step_row",
    "step_cut",
    "step_bit",
    "feature_start",
    "features",
    "term_group",
    "table_start",
    "values",
)


class TreeShapley:
    """Exact contributions and margins of one booster. Immutable; may be used from several threads at once.

    Takes a booster or its text. Trees too deep for the tables are explained by LightGBM itself: slower, equally
    exact. Categorical splits, linear leaves and several classes raise ``TreesError``.
    """

    def __init__(self, booster: lightgbm.Booster | str) -> None:
        trees = read_trees(booster)
        self.n_features = trees.n_features
        self._tables: Tables | None = tabulate(trees) if can_tabulate(trees) else None
        self._booster: lightgbm.Booster | None = None
        if self._tables is None:
            import lightgbm  # 85 MB and a second that a service with tables does not need

            text = booster if isinstance(booster, str) else booster.model_to_string()
            self._booster = lightgbm.Booster(model_str=text)
            self.expected_value = float(self._predict(np.zeros((1, self.n_features)), pred_contrib=True)[0, -1])
        else:
            self._arguments: tuple[Any, ...] = tuple(vars(self._tables)[name] for name in _ARGUMENTS)
            self.expected_value = self._tables.expected_value

    @property
    def tabulated(self) -> bool:
        """True if the fast tables are used; otherwise LightGBM is."""
        return self._tables is not None

    @property
    def table_bytes(self) -> int:
        return 0 if self._tables is None else self._tables.nbytes

    def contributions(self, X: NDArray[np.floating], threads: int = 1) -> Floats:
        """Contributions for (rows, features): float64 (rows, features + 1). The last column is the expected value.
        Raises ``FeatureMismatch``.
        """
        X = self._checked(X)
        if self._tables is None:
            return self._predict(X, threads, pred_contrib=True)
        return self._run(X, threads, contributions=True, margins=False)[0]

    def margins(self, X: NDArray[np.floating], threads: int = 1) -> Floats:
        """Raw scores for (rows, features): float64 (rows,), identical to ``booster.predict(X, raw_score=True)``."""
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
                f"matrix of {X.dtype} with shape {X.shape}: expected float32 or float64 with shape (rows, "
                f"{self.n_features})"
            )
        return np.ascontiguousarray(X)

    def _run(
        self, X: NDArray[np.floating], threads: int, *, contributions: bool, margins: bool
    ) -> tuple[Floats, Floats]:
        rows = len(X)
        shap = np.empty((rows if contributions else 0, self.n_features + 1))
        margin = np.empty(rows if margins else 0)

        def work(first: int, last: int) -> None:
            kernel = explain_few if rows <= FEW else explain
            kernel(X[first:last], shap[first:last], margin[first:last], contributions, margins, *self._arguments)

        share = -(-rows // max(1, threads)) if rows > BLOCK else max(rows, 1)
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
