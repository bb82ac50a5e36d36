"""Checks that a longer horizon never carries less risk, on a million random rows with values far outside training and
one in five missing.

Risks of one row differ between horizons only by the trees that split on the horizon and by the offsets of the
calibration. So only those trees are evaluated, which is exact and makes a million rows affordable in every run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import beta

from models.calibration import Calibration
from models.shapley.trees import read_trees
from training.statistics import kernels


def _share(crossings: int, rows: int) -> dict[str, float | None]:
    """The share over all such rows, with the exact interval of Clopper and Pearson: 0 in a million still allows up to
    4 in a million.
    """
    if not rows:
        return {"value": None, "low": None, "high": None}
    low = float(beta.ppf(0.025, crossings, rows - crossings + 1)) if crossings else 0.0
    high = float(beta.ppf(0.975, crossings + 1, rows - crossings)) if crossings < rows else 1.0
    return {"value": crossings / rows, "low": round(low, 9), "high": round(high, 9)}


def check(booster: Any, calibration: Calibration, rows: int, seed: int) -> dict[str, Any]:
    """Returns ``rows``, ``crossings`` (rows in which a longer horizon has less risk), their ``share``,
    ``largest_fall`` in log odds, and how many trees can make a difference.
    """
    trees = read_trees(booster)
    horizon = trees.n_features - 1
    low, high = np.full(trees.n_features, -1.0), np.full(trees.n_features, 1.0)
    for column in np.unique(trees.feature):
        cuts = trees.threshold[trees.feature == column]
        cuts = cuts[np.isfinite(cuts)]  # a split that only separates missing from known has no finite threshold
        if not len(cuts):
            continue
        reach = max(1.0, float(cuts.max() - cuts.min()))
        low[column], high[column] = cuts.min() - reach, cuts.max() + reach
    chosen = [t for t in range(len(trees)) if (trees.feature[trees.nodes(t)] == horizon).any()]
    node, leaf = (
        np.cumsum([0, *(size(t).stop - size(t).start for t in chosen)]) for size in (trees.nodes, trees.leaves)
    )

    def parts(values: Any, of: Any) -> Any:
        return np.concatenate([values[of(t)] for t in chosen]) if chosen else values[:0]

    feature = parts(trees.feature, trees.nodes)
    left = np.column_stack([parts(trees.left, trees.nodes), parts(trees.default_left, trees.nodes)]).astype(np.int64)
    bad, worst = kernels.crossings(
        feature.astype(np.int64),
        parts(trees.threshold, trees.nodes),
        left,
        parts(trees.right, trees.nodes).astype(np.int64),
        parts(trees.leaf_value, trees.leaves),
        node.astype(np.int64),
        leaf.astype(np.int64),
        np.setdiff1d(feature, [horizon]).astype(np.int64),
        horizon,
        low,
        high,
        np.asarray(calibration.horizons, dtype=np.float64),
        np.asarray(calibration.offsets, dtype=np.float64),
        calibration.slope,
        rows,
        seed,
    )
    return {
        "rows": rows,
        "crossings": int(bad),
        "share": _share(int(bad), rows),
        "largest_fall": round(float(worst), 9),
        "trees_with_the_horizon": len(chosen),
    }
