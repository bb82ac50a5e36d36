"""Checks before an effect is believed: was the draw fair and balanced, and were people sorted over the line?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData
from training.impact.effects import DrawRows, listing_effect

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """Differences between drawn and not drawn before the draw, in standard deviations, and the chance of the largest
    of them if the draw was fair (``p``, corrected for how many were looked at).
    """

    differences: dict[str, float]
    p: float

    @property
    def ok(self) -> bool:
        return self.p >= 0.01

    def as_dict(self) -> dict[str, Any]:
        return {"differences": self.differences, "p": self.p, "ok": self.ok}


def balance(rows: DrawRows, before: dict[str, npt.NDArray[Any]]) -> Balance:
    """Compares what was known before the draw. A fair lottery makes large differences unlikely."""
    differences, smallest = {}, 1.0
    for name, values in before.items():
        found = np.asarray(values, dtype=np.float64)
        spread = float(found.std())
        effect = listing_effect(rows, found).difference
        differences[name] = round(effect.value / spread, 4) if spread else 0.0
        error = (effect.high - effect.value) / NormalDist().inv_cdf(0.975)
        if error > 0:
            smallest = min(smallest, two_sided(effect.value / error))
    return Balance(differences, min(1.0, smallest * max(1, len(before))))


def two_sided(z: float) -> float:
    """Two-sided p value of a standard normal deviate."""
    return math.erfc(abs(z) / math.sqrt(2))


def draws_are_fair(rows: DrawRows) -> float:
    """p value of the number drawn against the sum of the chances logged: a small value shows that the draw may have
    been tampered with."""
    spread = float(np.sqrt((rows.propensity * (1 - rows.propensity)).sum()))
    return two_sided((rows.drawn.sum() - rows.propensity.sum()) / spread) if spread else 1.0


@dataclass(frozen=True)
class Density:
    """The jump of the number of people at the line, on the log scale, with its p value. A jump means that people were
    moved over the line.
    """

    log_jump: float
    p: float

    @property
    def ok(self) -> bool:
        return self.p >= 0.01

    def as_dict(self) -> dict[str, Any]:
        return {"log_jump": self.log_jump, "p": self.p, "ok": self.ok}


def density_at_line(distance: npt.NDArray[Any], bandwidth: float, bins: int = 20) -> Density:
    """McCrary's test (2008): counts in bins, a local linear fit on each side, the log difference at the line.

    ``bandwidth`` is how far from the line people are counted; ``bins`` how many bins each side has. Raises
    NotEnoughData with fewer than 50 people on a side.
    """
    x = np.asarray(distance, dtype=np.float64)
    rows, width = len(x), bandwidth / bins
    heights = []
    for sign in (-1, 1):
        side = x[(x >= 0) if sign > 0 else (x < 0)] * sign
        counts, edges = np.histogram(side[side <= bandwidth], bins=bins, range=(0, bandwidth))
        if counts.sum() < 50:
            raise NotEnoughData(f"{counts.sum()} rows within {bandwidth:.3g} on one side of the line; 50 are needed")
        middle = (edges[:-1] + edges[1:]) / 2
        weights = 1 - middle / bandwidth
        design = np.column_stack([np.ones(bins), middle])
        beta = np.linalg.solve(design.T @ (design * weights[:, None]), design.T @ (weights * counts))
        heights.append(max(beta[0] / (rows * width), 1e-12))
    jump = math.log(heights[1] / heights[0])
    error = math.sqrt(24 / 5 / (rows * bandwidth) * (1 / heights[0] + 1 / heights[1]))
    return Density(jump, two_sided(jump / error))
