"""The bootstrap: draws people with all their rows. A draw is a row of weights; no frame is resampled.

Rows of one person are near-copies of each other, so a bootstrap of rows would make every interval too narrow. Row 0 of
the weights is all ones, so a figure and its draws are computed in one go: ``values[0]`` is the figure, ``values[1:]``
its draws, and a paired difference is a subtraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval; NaN where it is not defined (no events, say)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Estimate:
        """An estimate from a figure (first) and its draws (the rest): the 2.5th and 97.5th percentile of the defined
        ones.
        """
        drawn = values[1:][np.isfinite(values[1:])]
        if not len(drawn):
            return cls(float(values[0]), float("nan"), float("nan"))
        low, high = np.percentile(drawn, [2.5, 97.5])
        return cls(float(values[0]), float(low), float(high))

    def as_dict(self) -> dict[str, float | None]:
        return {key: None if not np.isfinite(v) else round(float(v), 6) for key, v in vars(self).items()}


def as_dicts(figures: Mapping[str, Floats]) -> dict[str, dict[str, float | None]]:
    """Figures with their draws, each as value, low and high."""
    return {name: Estimate.of(values).as_dict() for name, values in figures.items()}


@dataclass(frozen=True)
class Draws:
    """``people`` is the person of each row (0, 1, ...), ``weights`` how often each person was drawn, shape (1 + draws,
    people), row 0 all ones. ``row_weight`` says how many rows each row stands for, where follow-up of others was cut
    off (:mod:`training.impact.exposure`); without it every row counts once."""

    people: npt.NDArray[np.int64]
    weights: Floats
    row_weight: Floats | None = None

    @classmethod
    def of(cls, people: npt.NDArray[np.int64], number: int, seed: int) -> Draws:
        count = int(people.max()) + 1 if len(people) else 0
        weights = np.ones((1 + number, count))
        if count:
            weights[1:] = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=number)
        return cls(people, weights)

    def standing_for(self, row_weight: Floats | None) -> Draws:
        """The same draws where each row stands for ``row_weight`` rows."""
        return Draws(self.people, self.weights, row_weight)

    @property
    def each(self) -> Floats:
        """How many rows each row stands for."""
        return np.ones(len(self.people)) if self.row_weight is None else self.row_weight

    def where(self, keep: Mask | npt.NDArray[np.int64]) -> Draws:
        """The same draws for some of the rows, given by mask or position."""
        kept = None if self.row_weight is None else self.row_weight[keep]
        return Draws(self.people[keep], self.weights, kept)

    def total(self, value: npt.NDArray[Any]) -> Floats:
        """Sum of ``value`` (one a row) in each draw, shape (1 + draws,)."""
        counted = np.asarray(value, dtype=np.float64)
        if self.row_weight is not None:
            counted = counted * self.row_weight
        return self.weights @ np.bincount(self.people, counted, minlength=self.weights.shape[1])

    def ratio(self, above: npt.NDArray[Any], below: npt.NDArray[Any] | None = None) -> Floats:
        """Sum of ``above`` over sum of ``below`` (over the number of rows where it is None) in each draw; NaN over
        nothing."""
        bottom = self.total(np.ones(len(self.people)) if below is None else below)
        return np.divide(self.total(above), bottom, out=np.full(len(bottom), np.nan), where=bottom > 0)


def codes(values: Any) -> npt.NDArray[np.int64]:
    """0, 1, ... for each distinct value, in order of first sight."""
    import pandas as pd

    return pd.factorize(values)[0].astype(np.int64)
