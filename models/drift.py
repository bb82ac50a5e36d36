"""The population stability index: how far the values of an input have moved between two sets of rows.

``PSI = sum over cells of (after - before) * ln(after / before)``. The cells are quantile bins of the earlier rows and
one cell for missing values; both sides are shares of rows. Half a row is added to each cell of both sides, so that
the index of an empty cell is finite and depends on the number of rows. Training and serving both use this definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ADDED_ROWS = 0.5
"""Added to each cell of both sides (Jeffreys), so that the index of an empty cell is finite."""
SHIFT, LARGE_SHIFT = 0.1, 0.25
"""Common thresholds for a shift and a large shift: a rule of thumb from credit scoring (Siddiqi 2006), no more."""


def cells_of(values: npt.NDArray[np.floating], edges: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """The cell of each value: the first whose edge it does not exceed, or ``len(edges) + 1`` if it is missing."""
    bins = np.searchsorted(edges, values, side="left")
    return np.where(np.isnan(values), len(edges) + 1, bins).astype(np.int64)


def stability_index(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """PSI of rows counted by cell, shape (..., cells); the result has shape (...)."""
    was, now = ((counts + ADDED_ROWS) / (counts + ADDED_ROWS).sum(axis=-1, keepdims=True) for counts in (before, after))
    return np.asarray(((now - was) * np.log(now / was)).sum(axis=-1))
