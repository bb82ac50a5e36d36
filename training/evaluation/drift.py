"""Has the world moved? Inputs of the test slice against those of training (population stability index), and calibration over time, as late as it can be known.

An index of 0.1 is commonly read as a shift and 0.25 as a large one. Rows of one person are alike, so small indices are noise. Calibration is judged at
each landmark only once its label is complete: the horizon and the settling days must have passed. A monitor in use must wait as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.records import date_of
from training.evaluation.resampling import Draws, Estimate, Floats
from training.evaluation.subgroups import FEWEST

SHIFT, LARGE_SHIFT = 0.1, 0.25
CELLS = 10
MOST_ROWS = 4000
SHOWN = 20


def stability_index(before: Floats, after: Floats) -> float:
    """PSI of one feature over tenths of ``before`` (ties kept together) and a cell for missing."""
    cuts = np.unique(np.nanquantile(before, np.linspace(0, 1, CELLS + 1)[1:-1])) if (~np.isnan(before)).any() else []
    shares = []
    for values in (before, after):
        cell = np.where(np.isnan(values), len(cuts) + 1, np.searchsorted(cuts, values, side="left"))
        counts = np.bincount(cell.astype(np.int64), minlength=len(cuts) + 2)
        shares.append((counts + 0.5) / (counts + 0.5).sum())
    was, now = shares
    return float(((now - was) * np.log(now / was)).sum())


def inputs(
    before: npt.NDArray[np.floating], after: npt.NDArray[np.floating], names: Sequence[str], seed: int
) -> dict[str, Any]:
    """PSI of every feature, on at most 4,000 rows of each slice; the largest are named with the share missing in each."""
    rng = np.random.default_rng(seed)
    was, now = (
        rows[np.sort(rng.choice(len(rows), min(MOST_ROWS, len(rows)), replace=False))].astype(np.float64)
        for rows in (before, after)
    )
    index = np.array([stability_index(was[:, column], now[:, column]) for column in range(len(names))])
    order = np.argsort(-index, kind="stable")
    return {
        "features": len(names),
        "rows_before": len(was),
        "rows_after": len(now),
        "shifted": int((index > SHIFT).sum()),
        "largely_shifted": int((index > LARGE_SHIFT).sum()),
        "index": {names[column]: round(float(index[column]), 4) for column in order},
        "largest": [
            {
                "feature": names[column],
                "index": round(float(index[column]), 4),
                "missing_before": round(float(np.isnan(was[:, column]).mean()), 4),
                "missing_after": round(float(np.isnan(now[:, column]).mean()), 4),
            }
            for column in order[:SHOWN]
        ],
    }


def calibration_over_time(
    label: Floats, risk: Floats, day: npt.NDArray[np.int64], draws: Draws, horizon: int, settling_days: int
) -> list[dict[str, Any]]:
    """Observed over expected at each landmark with the first day on which it could be known, and from the first landmark to this one (a drift that builds
    up shows there). Landmarks of fewer than ten event rows are not shown alone."""
    out = []
    for landmark in np.unique(day):
        at, so_far = day == landmark, day <= landmark
        few = label[at].sum() < FEWEST
        out.append(
            {
                "as_of": str(date_of(int(landmark))),
                "known_on": str(date_of(int(landmark) + horizon + settling_days)),
                "rows": int(at.sum()),
                "event_rows": None if few else int(label[at].sum()),
                "observed_to_expected": None
                if few
                else Estimate.of(draws.where(at).ratio(label[at], risk[at])).as_dict(),
                "so_far": Estimate.of(draws.where(so_far).ratio(label[so_far], risk[so_far])).as_dict()
                if label[so_far].sum() >= FEWEST
                else None,
            }
        )
    return out
