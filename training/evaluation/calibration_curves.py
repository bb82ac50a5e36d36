"""Data for the calibration plot: the smooth curve with its band, calibration among the listed, and the spread of
risks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats, Mask, as_dicts

POINTS = 25
BANDWIDTH = 0.05
"""Standard deviation of the Gaussian kernel, as a share of the rows in order of risk."""
PERCENTILES = (5, 25, 50, 75, 95)


def smooth_curve(scored: Scored, draws: Draws) -> list[dict[str, float | None]]:
    """Observed share against predicted risk, both averaged by one Gaussian kernel over the rank of the risk. No shape
    is assumed.
    """
    rows = len(scored.score)
    if not rows:
        return []
    rank, each, order = np.empty(rows), draws.each, np.argsort(scored.score, kind="stable")
    rank[order] = (np.cumsum(each[order]) - each[order] / 2) / each.sum()
    curve = []
    for centre in np.linspace(0.01, 0.99, POINTS):
        near = np.exp(-0.5 * ((rank - centre) / BANDWIDTH) ** 2)
        observed = Estimate.of(draws.ratio(near * scored.label, near)).as_dict()
        predicted = float((near * each * scored.score).sum() / (near * each).sum())
        curve.append(
            {
                "predicted": round(predicted, 6),
                **{f"observed_{key}" if key != "value" else "observed": v for key, v in observed.items()},
            }
        )
    return curve


def among_listed(scored: Scored, listed: Mask, draws: Draws) -> dict[str, Any]:
    """Calibration among the rows that made a list, where it matters most (docs/methods.md section 3, item 4)."""
    top, drawn = Scored(scored.label[listed], scored.score[listed]), draws.where(listed)
    figures: dict[str, Floats] = {
        "mean_predicted": drawn.ratio(top.score),
        "observed": drawn.ratio(top.label),
        "observed_to_expected": top.observed_to_expected(drawn),
        **top.calibration_line(drawn),
        "ici": top.calibration_errors(drawn)["ici"],
    }
    return {"rows": int(listed.sum()), "event_rows": int(top.label.sum()), **as_dicts(figures)}


def risk_distribution(scored: Scored, draws: Draws) -> dict[str, list[float]]:
    """Percentiles (5, 25, 50, 75, 95) of the predicted risk of rows with an event and of rows without. Where these
    overlap, the risk cannot separate them."""
    return {
        name: [round(float(p), 6) for p in _percentiles(scored.score[rows], draws.where(rows))] if rows.any() else []
        for name, rows in (("event", scored.label == 1), ("none", scored.label == 0))
    }


def _percentiles(risk: Floats, draws: Draws) -> Floats:
    """Between two rows where every row counts once; else the risk below which that share of the weight lies."""
    if draws.row_weight is None:
        return np.asarray(np.percentile(risk, PERCENTILES), dtype=np.float64)
    found = np.percentile(risk, PERCENTILES, weights=draws.row_weight, method="inverted_cdf")
    return np.asarray(found, dtype=np.float64)
