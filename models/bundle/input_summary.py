"""Summary of the model's inputs at training, for drift checks, and rows for the self-test. No row of it is a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
GOLDEN_ROWS = 32


def summarise(matrix: NDArray[np.floating], names: Sequence[str]) -> dict[str, Any]:
    """For each feature: the share missing, the inner edges of up to ten quantile bins, the share of known values in
    each, and the 0.5% and 99.5% quantiles.

    A value belongs to the first bin whose edge it does not exceed (``numpy.searchsorted(edges, value, side="left")``).
    The outermost values are left out, because a smallest or largest value belongs to one person.
    """
    features = []
    for name, column in zip(names, np.asarray(matrix, dtype=np.float64).T, strict=True):
        known = column[~np.isnan(column)]
        entry: dict[str, Any] = {
            "name": name,
            "missing_share": round(1 - len(known) / len(column), 6),
            "edges": [],
            "shares": [],
            "low": None,
            "high": None,
        }
        if len(known):
            edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
            counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
            low, high = np.quantile(known, [0.005, 0.995])
            entry |= {
                "edges": edges.tolist(),
                "shares": (counts / len(known)).round(6).tolist(),
                "low": float(low),
                "high": float(high),
            }
        features.append(entry)
    return {"rows": len(matrix), "features": features}


def golden_rows(matrix: NDArray[np.floating], seed: int = 0) -> NDArray[np.float64]:
    """At most 32 rows for the self-test (float64); the last one is all missing. Each value is drawn independently
    from its column, so no row is a person's.
    """
    rng = np.random.default_rng(seed)
    rows = np.array(matrix, dtype=np.float64)[
        rng.integers(len(matrix), size=(GOLDEN_ROWS - 1, matrix.shape[1])), np.arange(matrix.shape[1])
    ]
    return np.vstack([rows, np.full((1, matrix.shape[1]), np.nan)])
