"""Figures of merit with weights, and 95% intervals from a bootstrap of people.

Rows of one person are near-copies of each other, so a bootstrap of rows would make every interval too narrow: people are drawn, with all their rows.
A draw gives each person a whole-number weight, and every figure is computed with weights. scikit-learn is the outside check (tests).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_NEWTON_STEPS = 25


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval; NaN where it is not defined (no events, say)."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        return {key: None if np.isnan(v) else round(float(v), 6) for key, v in vars(self).items()}


@dataclass(frozen=True)
class Scored:
    """Labels (0 or 1, no missing) and scores of the same rows. Sorted once, used for every draw."""

    label: Floats
    score: Floats

    @cached_property
    def _order(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        order = np.argsort(self.score, kind="stable")
        ranked = self.score[order]
        starts = (
            np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
            if len(ranked)
            else np.zeros(0, dtype=np.int64)
        )
        return order, starts

    def _groups(self, weight: Floats) -> tuple[Floats, Floats]:
        """Weight of events and of non-events in each group of tied scores, from the lowest."""
        order, starts = self._order
        w, y = weight[order], self.label[order]
        return np.add.reduceat(w * y, starts), np.add.reduceat(w * (1 - y), starts)

    def auroc(self, weight: Floats) -> float:
        """The chance that an event scores above a non-event, ties counting half."""
        events, others = self._groups(weight)
        below = np.cumsum(others) - others
        total = events.sum() * others.sum()
        return float((events * (below + others / 2)).sum() / total) if total > 0 else np.nan

    def average_precision(self, weight: Floats) -> float:
        """Area under the precision-recall curve as scikit-learn defines it; read it beside the prevalence."""
        events, others = (side[::-1] for side in self._groups(weight))
        found, listed = np.cumsum(events), np.cumsum(events + others)
        if events.sum() <= 0:
            return float("nan")
        precision = np.divide(found, listed, out=np.zeros_like(found), where=listed > 0)
        return float((precision * events).sum() / events.sum())

    def brier(self, weight: Floats) -> float:
        return float((weight * (self.score - self.label) ** 2).sum() / weight.sum())

    def scaled_brier(self, weight: Floats) -> float:
        """1 less the Brier score over that of the prevalence told to everyone: 0 tells nothing, 1 knows everything."""
        share = (weight * self.label).sum() / weight.sum()
        return 1 - self.brier(weight) / (share * (1 - share)) if 0 < share < 1 else float("nan")

    def log_loss(self, weight: Floats) -> float:
        p = np.clip(self.score, 1e-15, 1 - 1e-15)
        return float(-(weight * (self.label * np.log(p) + (1 - self.label) * np.log1p(-p))).sum() / weight.sum())

    def calibration_errors(self, weight: Floats, bins: int = 20) -> dict[str, float]:
        """ICI, E50 and E90: mean, median and 90th percentile of |smooth observed share - predicted risk| over the rows (Austin and Steyerberg 2019).

        The smooth curve is a local average: rows in order of risk are cut into ``bins`` groups of equal weight, and the observed share is
        interpolated between their mean risks. Loess would need minutes for what a bootstrap asks.
        """
        order, _ = self._order
        w, p, y = weight[order], self.score[order], self.label[order]
        total = w.sum()
        if total <= 0 or (w * y).sum() <= 0:
            return {"ici": float("nan"), "e50": float("nan"), "e90": float("nan")}
        group = np.minimum((np.cumsum(w) - w / 2) / total * bins, bins - 1).astype(np.int64)
        mass = np.bincount(group, w, bins)
        kept = mass > 0
        centre = np.bincount(group, w * p, bins)[kept] / mass[kept]
        share = np.bincount(group, w * y, bins)[kept] / mass[kept]
        error = np.abs(np.interp(p, centre, share) - p)
        by_size = np.argsort(error, kind="stable")
        reached = np.cumsum(w[by_size]) / total
        middle, high = (error[by_size[np.searchsorted(reached, q)]] for q in (0.5, 0.9 - 1e-12))
        return {"ici": float((w * error).sum() / total), "e50": float(middle), "e90": float(high)}

    def net_benefit(self, weight: Floats, threshold: float) -> float:
        """Events found less non-events reviewed, at the odds of ``threshold``, per row (Vickers and Elkin 2006)."""
        flagged = self.score >= threshold
        total, odds = weight.sum(), threshold / (1 - threshold)
        return float(
            ((weight * flagged * self.label).sum() - odds * (weight * flagged * (1 - self.label)).sum()) / total
        )

    def observed_to_expected(self, weight: Floats) -> float:
        expected = (weight * self.score).sum()
        return float((weight * self.label).sum() / expected) if expected > 0 else np.nan

    def ranking(self, weight: Floats) -> dict[str, float]:
        """What can be said of any ranking, probability or not."""
        return {"auroc": self.auroc(weight), "average_precision": self.average_precision(weight)}

    def probability(self, weight: Floats) -> dict[str, float]:
        """Every figure of a probability: discrimination, overall, calibration."""
        slope, intercept = self.calibration(weight)
        return {
            **self.ranking(weight),
            "brier": self.brier(weight),
            "scaled_brier": self.scaled_brier(weight),
            "log_loss": self.log_loss(weight),
            **self.calibration_errors(weight),
            "observed_to_expected": self.observed_to_expected(weight),
            "calibration_slope": slope,
            "calibration_intercept": intercept,
        }

    def calibration(self, weight: Floats) -> tuple[float, float]:
        """Slope and intercept of a logistic regression of the label on the logit of the score. 1 and 0 where the probability is right."""
        return logistic_line(self.logit, self.label, weight)

    @cached_property
    def logit(self) -> Floats:
        clipped = np.clip(self.score, 1e-9, 1 - 1e-9)
        return np.log(clipped / (1 - clipped))


def logistic_line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Slope and intercept of y on x by weighted maximum likelihood (Newton); NaN where the data have no finite answer."""
    if (weight * y).sum() <= 0 or (weight * (1 - y)).sum() <= 0:
        return float("nan"), float("nan")
    slope, intercept = 1.0, 0.0
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(slope * x + intercept, -40, 40)))
        residual, w = weight * (y - p), weight * p * (1 - p)
        g0, g1 = residual.sum(), (residual * x).sum()
        h00, h01, h11 = w.sum(), (w * x).sum(), (w * x * x).sum()
        determinant = h00 * h11 - h01 * h01
        if determinant <= 1e-12 * max(1.0, h00 * h11):
            return float("nan"), float("nan")
        d_slope, d_intercept = (h00 * g1 - h01 * g0) / determinant, (h11 * g0 - h01 * g1) / determinant
        size = min(1.0, 4.0 / max(abs(d_slope), abs(d_intercept), 1e-12))
        slope, intercept = slope + size * d_slope, intercept + size * d_intercept
        if max(abs(d_slope), abs(d_intercept)) < 1e-9:
            break
    return float(slope), float(intercept)


def draws(people: npt.NDArray[np.int64], number: int, seed: int) -> npt.NDArray[np.int32]:
    """Bootstrap weights of people, shape (number, people): how often each person was drawn. ``people`` are codes 0, 1, ... of the rows."""
    count = int(people.max()) + 1 if len(people) else 0
    rng = np.random.default_rng(seed)
    return (
        rng.multinomial(count, np.full(count, 1 / count), size=number).astype(np.int32)
        if count
        else np.zeros((number, 0), dtype=np.int32)
    )


def estimates(
    figures: Callable[[Floats], Mapping[str, float]], people: npt.NDArray[np.int64], resamples: npt.NDArray[np.int32]
) -> dict[str, Estimate]:
    """``figures`` of all rows (weights of 1), each with its 2.5th and 97.5th percentile over ``resamples`` (from :func:`draws`)."""
    values = figures(np.ones(len(people)))
    found = {name: np.full(len(resamples), np.nan) for name in values}
    for draw, weights in enumerate(resamples):
        for name, value in figures(weights[people].astype(np.float64)).items():
            found[name][draw] = value
    return {name: _interval(value, found[name]) for name, value in values.items()}


def estimate(
    figure: Callable[[Floats], float], people: npt.NDArray[np.int64], resamples: npt.NDArray[np.int32]
) -> Estimate:
    """One figure with its interval."""
    return estimates(lambda weight: {"it": figure(weight)}, people, resamples)["it"]


def difference(
    a: Callable[[Floats], float],
    b: Callable[[Floats], float],
    people: npt.NDArray[np.int64],
    resamples: npt.NDArray[np.int32],
) -> Estimate:
    """Figure ``a`` less figure ``b`` on the same draws (paired)."""
    return estimate(lambda weight: a(weight) - b(weight), people, resamples)


def _interval(value: float, found: Floats) -> Estimate:
    found = found[np.isfinite(found)]
    if not len(found):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.percentile(found, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Listing:
    """What lists of limited length would have found. ``listed`` marks rows; events are numbered, so that one event counts once.

    ``event`` is -1 for a row without an event; rows of one person before one and the same event share a number.
    """

    listed: npt.NDArray[np.bool_]
    event: npt.NDArray[np.int64]

    def precision(self, weight: Floats) -> float:
        """Share of listed rows with an event in the window."""
        total = (weight * self.listed).sum()
        return float((weight * (self.listed & (self.event >= 0))).sum() / total) if total > 0 else np.nan

    def captured(self, weight: Floats) -> float:
        """Share of events whose person was listed at least once before them."""
        number = int(self.event.max()) + 1 if len(self.event) else 0
        if number <= 0:
            return float("nan")
        happened = self.event >= 0
        weight_of, found = np.zeros(number), np.zeros(number)
        weight_of[self.event[happened]] = weight[happened]
        np.maximum.at(found, self.event[happened], self.listed[happened].astype(float))
        return float((weight_of * found).sum() / weight_of.sum()) if weight_of.sum() > 0 else np.nan


def top_of_lists(
    score: Floats,
    team: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    slots: Mapping[int, int] | Sequence[int],
    seed: int = 0,
) -> npt.NDArray[np.bool_]:
    """Marks the ``slots[team]`` highest scores of each team on each day. Ties are broken by lot, the same lot every time: no order of names or ids."""
    lot = np.random.default_rng(seed).permutation(len(score))
    order = np.lexsort((lot, -score, day, team))
    new = (
        np.concatenate([[True], (team[order][1:] != team[order][:-1]) | (day[order][1:] != day[order][:-1])])
        if len(order)
        else np.zeros(0, dtype=bool)
    )
    starts = np.flatnonzero(new)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    listed = np.zeros(len(score), dtype=bool)
    listed[order] = place < np.array([slots[int(t)] for t in team[order]], dtype=np.int64)
    return listed
