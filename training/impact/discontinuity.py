"""The jump of an outcome at the line of a list: a regression discontinuity, for lists without a lottery band.

A local linear fit on each side of the line, with triangular weights. The interval is the robust bias-corrected one
(Calonico, Cattaneo and Titiunik 2014) with the bias bandwidth equal to the main one: then the corrected estimate is
the local quadratic fit. Errors are clustered by person. The package rdrobust is the outside check in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData, ShapeError
from training.impact.effects import Interval

Floats = npt.NDArray[np.float64]
LEAST_ROWS = 20
"""Fewest rows with weight on each side."""


@dataclass(frozen=True)
class Jump:
    """The jump at the line: ``conventional`` is the local linear estimate, ``robust`` the bias-corrected one with its
    95% interval, ``rows`` how many rows had weight.
    """

    conventional: float
    robust: Interval
    bandwidth: float
    rows: int

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "robust": self.robust.as_dict()}


def jump_at_line(
    distance: npt.NDArray[Any],
    outcome: npt.NDArray[Any],
    person: npt.NDArray[np.int64] | None = None,
    bandwidth: float | None = None,
) -> Jump:
    """The jump of ``outcome`` where ``distance`` from the line passes 0; 0 and above is listed.

    ``bandwidth`` should be set beforehand; None takes the rule of thumb from the data. Raises NotEnoughData with too
    few rows on a side, ShapeError for values that are not numbers.
    """
    x, y = np.asarray(distance, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if len(x) != len(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ShapeError("distance and outcome must have one finite number a row; remove or complete the others")
    who = np.arange(len(x)) if person is None else np.asarray(person)
    width = rule_of_thumb(x, y) if bandwidth is None else float(bandwidth)
    weights = np.clip(1 - np.abs(x) / width, 0, None)
    below, above = (weights > 0) & (x < 0), (weights > 0) & (x >= 0)
    if min(below.sum(), above.sum()) < LEAST_ROWS:
        raise NotEnoughData(
            f"{below.sum()} rows below and {above.sum()} above the line lie within {width:.3g} of it; "
            f"at least {LEAST_ROWS} on each side are needed. Wait, or set a wider bandwidth in the plan"
        )
    linear, _ = _step(x, y, weights, who, below, above, 1)
    corrected, error = _step(x, y, weights, who, below, above, 2)
    return Jump(linear, Interval.around(corrected, error), width, int(below.sum() + above.sum()))


def _step(
    x: Floats, y: Floats, weights: Floats, who: npt.NDArray[Any], below: Any, above: Any, order: int
) -> tuple[float, float]:
    """The difference of the two fits at the line and its standard error, clustered by person over both sides."""
    right, right_part = _at_line(x, y, weights, above, order)
    left, left_part = _at_line(x, y, weights, below, order)
    influence = np.zeros(len(x))
    influence[above], influence[below] = right_part, -left_part
    used = above | below
    groups, codes = np.unique(who[used], return_inverse=True)
    sums = np.bincount(codes, influence[used])
    rows, number = int(used.sum()), len(groups)
    correction = number / (number - 1) * (rows - 1) / (rows - 2 * (order + 1))
    return right - left, float(np.sqrt(correction * (sums**2).sum()))


def _at_line(x: Floats, y: Floats, weights: Floats, side: Any, order: int) -> tuple[float, Floats]:
    """The fitted value at the line from one side, and the influence of each of its rows."""
    design = np.vander(x[side], order + 1, increasing=True)
    weighted = design * weights[side, None]
    inverse = np.linalg.pinv(design.T @ weighted)
    beta = inverse @ (weighted.T @ y[side])
    residual = y[side] - design @ beta
    return float(beta[0]), (weighted @ inverse[:, 0]) * residual


def rule_of_thumb(x: Floats, y: Floats) -> float:
    """A bandwidth from a cubic fit on each side (Fan and Gijbels' rule, constant of the triangular kernel at an
    edge). It is a guide; the plan's own bandwidth wins.
    """
    widths = []
    for side in (x < 0, x >= 0):
        rows = int(side.sum())
        if rows < LEAST_ROWS:
            raise NotEnoughData(f"{rows} rows on one side of the line; at least {LEAST_ROWS} are needed")
        design = np.vander(x[side], 4, increasing=True)
        beta = np.linalg.lstsq(design, y[side], rcond=None)[0]
        noise = float(((y[side] - design @ beta) ** 2).sum() / max(1, rows - 4))
        reach = float(np.abs(x[side]).max())
        near = np.abs(x[side]) <= reach / 4
        density = max(near.mean() / (reach / 4), 1e-12)
        curve = 2 * beta[2]
        width = 3.4375 * (noise / max(curve**2 * density * rows, 1e-12)) ** 0.2
        widths.append(min(width, reach))
    return float(min(widths))
