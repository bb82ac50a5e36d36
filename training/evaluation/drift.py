"""Drift: inputs of the test slice against those of training (population stability index), and calibration over time,
dated by when it can be known.

The index is defined in :mod:`models.drift`. Rows of one person are similar, so small indices are noise. Calibration
at a landmark is judged only when its labels are complete: the horizon and the settling days must have passed. A
monitor in use must wait as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.records import date_of
from models.drift import LARGE_SHIFT, SHIFT, cells_of, stability_index
from training.evaluation.fairness.subgroups import FEWEST
from training.statistics.resampling import Draws, Estimate, Floats, codes

CELLS = 10
MOST_ROWS = 4000
SHOWN = 20


def index_of(before: Floats, after: Floats) -> float:
    """PSI of one feature over tenths of ``before`` (ties kept together) and a cell for missing."""
    *cell_of, cells = _cells(before, after)
    was, now = (np.bincount(cell, minlength=cells) for cell in cell_of)
    return float(stability_index(was, now))


def _cells(before: Floats, after: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """The cell of each value in both slices, and the number of cells."""
    known = before[~np.isnan(before)]
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, CELLS + 1)[1:-1])) if len(known) else np.zeros(0)
    return cells_of(before, cuts), cells_of(after, cuts), len(cuts) + 2


def _centred(values: Floats) -> Floats:
    """The draws shifted to lie around the figure. An index is never below 0, so the noise of resampling only adds to
    it.
    """
    shift = values[1:].mean() - values[0] if len(values) > 1 else 0.0
    return np.append(values[:1], np.maximum(values[1:] - shift, 0.0))


def inputs(
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    names: Sequence[str],
    seed: int,
    people: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    draws_number: int,
) -> dict[str, Any]:
    """PSI of every feature, on at most 4,000 rows of each slice; the largest are named, with the share missing in
    each slice and with intervals. ``people`` is the person of each row in both slices: people are drawn with all
    their rows of both."""
    rng = np.random.default_rng(seed)
    at = [np.sort(rng.choice(len(rows), min(MOST_ROWS, len(rows)), replace=False)) for rows in (before, after)]
    was, now = (rows[chosen].astype(np.float64) for rows, chosen in zip((before, after), at, strict=True))
    index = np.array([index_of(was[:, column], now[:, column]) for column in range(len(names))])
    order = np.argsort(-index, kind="stable")
    both = Draws.of(
        codes(np.concatenate([who[chosen] for who, chosen in zip(people, at, strict=True)])), draws_number, seed
    )
    earlier = np.arange(len(both.people)) < len(was)
    slices = both.where(earlier), both.where(~earlier)

    def largest(column: int) -> dict[str, Any]:
        values = was[:, column], now[:, column]
        *cell_of, cells = _cells(*values)
        counts = [
            np.column_stack([drawn.total(cell == n) for n in range(cells)])
            for drawn, cell in zip(slices, cell_of, strict=True)
        ]
        missing = [Estimate.of(drawn.ratio(np.isnan(one))).as_dict() for drawn, one in zip(slices, values, strict=True)]
        return {
            "feature": names[column],
            "index": Estimate.of(_centred(stability_index(*counts))).as_dict(),
            "missing_before": missing[0],
            "missing_after": missing[1],
        }

    return {
        "features": len(names),
        "rows_before": len(was),
        "rows_after": len(now),
        "shifted": int((index > SHIFT).sum()),
        "largely_shifted": int((index > LARGE_SHIFT).sum()),
        "index": {names[column]: round(float(index[column]), 4) for column in order},
        "largest": [largest(int(column)) for column in order[:SHOWN]],
    }


def calibration_over_time(
    label: Floats, risk: Floats, day: npt.NDArray[np.int64], draws: Draws, horizon: int, settling_days: int
) -> list[dict[str, Any]]:
    """Observed over expected at each landmark, with the first day on which it could be known, and cumulatively from
    the first landmark (which shows slow drift). Landmarks with fewer than ten event rows are not shown alone."""
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
