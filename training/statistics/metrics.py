"""Metrics on the sample and on each bootstrap replicate. Tests compare them with scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from training.statistics import kernels
from training.statistics.resampling import Draws, Estimate, Floats, Mask, as_dicts

SMOOTH_BINS = 20
"""Number of groups of equal weight behind the smooth curve of ICI, E50 and E90. Loess would take minutes for a
bootstrap.
"""


@dataclass(frozen=True)
class Scored:
    """Labels (0 or 1, no missing) and scores of the same rows. Sorted once, used for every draw. Every figure has
    shape (1 + draws,)."""

    label: Floats
    score: Floats

    @cached_property
    def _rising(self) -> npt.NDArray[np.int64]:
        return np.argsort(self.score, kind="stable")

    def ranking(self, draws: Draws) -> dict[str, Floats]:
        """Metrics of any ranking, probability or not. AUROC: the chance that an event scores above a
        non-event, ties counting half. Average precision: area under the precision-recall curve as scikit-learn defines
        it; read it beside the prevalence."""
        falling = self._rising[::-1]
        ranked = self.score[falling]
        closes = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.zeros(0, dtype=bool)
        found = kernels.ranking(draws.people[falling], self.label[falling], closes, draws.each[falling], draws.weights)
        return {"auroc": found[:, 0], "average_precision": found[:, 1]}

    def brier(self, draws: Draws) -> Floats:
        return draws.ratio((self.score - self.label) ** 2)

    def scaled_brier(self, draws: Draws) -> Floats:
        """1 - Brier / Brier of always predicting the prevalence: 0 is uninformative, 1 is perfect."""
        share = draws.ratio(self.label)
        useless = share * (1 - share)
        return 1 - np.divide(self.brier(draws), useless, out=np.full(len(share), np.nan), where=useless > 0)

    def log_loss(self, draws: Draws) -> Floats:
        p = np.clip(self.score, 1e-15, 1 - 1e-15)
        return draws.ratio(-(self.label * np.log(p) + (1 - self.label) * np.log1p(-p)))

    def calibration_errors(self, draws: Draws) -> dict[str, Floats]:
        """ICI, E50 and E90: mean, median and 90th percentile of |smooth observed share - predicted risk| over the rows
        (Austin and Steyerberg 2019).

        The smooth curve is a local average: rows in order of risk are cut into groups of equal weight, and the
        observed share is interpolated between their mean risks.
        """
        rising = self._rising
        found = kernels.calibration_errors(
            draws.people[rising],
            self.label[rising],
            self.score[rising],
            draws.each[rising],
            draws.weights,
            SMOOTH_BINS,
        )
        return {"ici": found[:, 0], "e50": found[:, 1], "e90": found[:, 2]}

    def calibration_line(self, draws: Draws) -> dict[str, Floats]:
        """Slope and intercept of a logistic regression of the label on the logit of the score (1 and 0 where the
        probability is right), and calibration in the large: the intercept where the slope is held at 1, in log odds.
        Above 0, risks are too low."""
        found = kernels.lines(draws.people, self.label, self.logit, draws.each, draws.weights)
        names = ("calibration_slope", "calibration_intercept", "calibration_in_the_large")
        return {name: found[:, column] for column, name in enumerate(names)}

    def observed_to_expected(self, draws: Draws) -> Floats:
        return draws.ratio(self.label, self.score)

    def net_benefit(self, draws: Draws, threshold: float) -> Floats:
        """Events found less non-events reviewed, at the odds of ``threshold``, per row (Vickers and Elkin 2006)."""
        flagged = self.score >= threshold
        return draws.ratio(flagged * (self.label - threshold / (1 - threshold) * (1 - self.label)))

    def probability(self, draws: Draws) -> dict[str, Floats]:
        """All metrics of a probability: discrimination, overall, calibration."""
        return {
            **self.ranking(draws),
            "brier": self.brier(draws),
            "scaled_brier": self.scaled_brier(draws),
            "log_loss": self.log_loss(draws),
            **self.calibration_errors(draws),
            "observed_to_expected": self.observed_to_expected(draws),
            **self.calibration_line(draws),
        }

    @cached_property
    def logit(self) -> Floats:
        clipped = np.clip(self.score, 1e-9, 1 - 1e-9)
        return np.log(clipped / (1 - clipped))


@dataclass(frozen=True)
class Listing:
    """Results of lists of limited length. ``listed`` marks rows; events are numbered, so that one event
    counts once.

    ``event`` is -1 for a row without an event; rows of one person before one and the same event share a number.
    """

    listed: Mask
    event: npt.NDArray[np.int64]

    def precision(self, draws: Draws) -> Floats:
        """Share of listed rows with an event in the window."""
        return draws.ratio(self.listed & (self.event >= 0), self.listed)

    def captured(self, draws: Draws) -> Floats:
        """Share of events whose person was listed at least once before them."""
        people, found, all_of_them = self.found(draws)
        return Draws(people, draws.weights).ratio(found, all_of_them)

    def found(self, draws: Draws) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
        """Each event once: whose it was, its weight if a list before it held the person (else 0), and its weight.

        An event weighs as much as its last row, whose follow-up it ended, and a found event as much as the last row
        that was listed. Weights never rise from one row before an event to the next, so these are the smallest.
        """
        happened = self.event >= 0
        numbers, first, place = np.unique(self.event[happened], return_index=True, return_inverse=True)
        each, listed = draws.each[happened], self.listed[happened]
        weight, found = np.full(len(numbers), np.inf), np.full(len(numbers), np.inf)
        np.minimum.at(weight, place, each)
        np.minimum.at(found, place[listed], each[listed])
        return draws.people[happened][first], np.where(np.isinf(found), 0.0, found), weight


def top_of_lists(
    score: Floats,
    team: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    slots: Mapping[int, int] | Sequence[int],
    seed: int = 0,
    each: Floats | None = None,
) -> Mask:
    """Marks the ``slots[team]`` highest scores of each team on each day. Ties are broken at random, in the same way
    every time, and not by name or id. ``each`` says how many rows each row stands for: it takes as many places.
    """
    order, place = places_in_lists(score, team, day, seed, each)
    listed = np.zeros(len(score), dtype=bool)
    number = (
        np.array([slots[code] for code in range(int(team.max()) + 1)], dtype=np.int64) if len(team) else np.zeros(0)
    )
    listed[order] = place < number[team[order]]
    return listed


def same_share_of_lists(
    score: Floats,
    team: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    share: float,
    seed: int = 0,
    each: Floats | None = None,
) -> Mask:
    """Marks the same share of every team's rows on each day, highest scores first. This measures how well teams are
    ranked, independent of their review capacity.
    """
    order, place = places_in_lists(score, team, day, seed, each)
    listed = np.zeros(len(score), dtype=bool)
    if len(score):
        last = np.append(np.flatnonzero(place[1:] == 0), len(place) - 1)
        sizes = place[last] + (1 if each is None else each[order][last])
        listed[order] = place < np.repeat(np.round(share * sizes), np.diff(np.append(-1, last)))
    return listed


def places_in_lists(
    score: Floats,
    team: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    seed: int = 0,
    each: Floats | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Rows in order of team, day and falling score (ties at random), and the position (0 is first) of each in its
    list: the rows before it, each counted as often as ``each`` says.
    """
    lot = np.random.default_rng(seed).permutation(len(score))
    order = np.lexsort((lot, -score, day, team))
    new = (
        np.concatenate([[True], (team[order][1:] != team[order][:-1]) | (day[order][1:] != day[order][:-1])])
        if len(order)
        else np.zeros(0, dtype=bool)
    )
    starts = np.flatnonzero(new)
    before = np.arange(len(order)) if each is None else np.cumsum(each[order]) - each[order]
    return order, before - np.repeat(before[starts], np.diff(np.append(starts, len(order))))


__all__ = [
    "Draws",
    "Estimate",
    "Listing",
    "Scored",
    "as_dicts",
    "places_in_lists",
    "same_share_of_lists",
    "top_of_lists",
]
