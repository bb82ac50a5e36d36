"""Cumulative incidence with competing risks (Aalen and Johansen 1978): how many have had each cause as the first thing
that happened to them, by day. Beside it, what one cause would reach if the others did not exist (1 - Kaplan-Meier).

Time is in whole days: a row is at risk on days 0, 1, ..., and a curve's place d holds what happened on the first d
days, so place 0 is 0. Who is censored after c days was at risk on days 0 to c - 1. Causes of one day happen at once.
Without censoring each curve is a plain share of the rows. Tests compare with lifelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.statistics.resampling import Draws, Floats

CENSORED = 0


@dataclass(frozen=True)
class FirstCause:
    """What happened first to each row: ``cause`` 1, 2, ... on day ``day``, or 0 where follow-up ended without any
    cause after ``day`` whole days."""

    day: npt.NDArray[np.int64]
    cause: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Incidence:
    """Curves in each draw. ``by_cause`` has shape (1 + draws, causes, days + 1), ``none`` and ``alone`` (1 + draws,
    days + 1).

    ``none`` is the share to whom nothing has happened yet; with all causes it adds up to 1. ``alone`` is the first
    cause as if no other existed: the others count as censoring, after the first cause of the same day. A curve is NaN
    from a day on which nobody is left to observe it.
    """

    by_cause: Floats
    none: Floats
    alone: Floats

    @property
    def of_those_who_stayed(self) -> Floats:
        """The first cause among those whom no other cause took away before."""
        first = self.by_cause[:, 0]
        staying = first + self.none
        return np.divide(first, staying, out=np.full(staying.shape, np.nan), where=staying > 0)


def incidence(found: FirstCause, causes: int, days: int, draws: Draws) -> Incidence:
    """The curves of ``causes`` causes over the first ``days`` days, in each draw; rows count as ``draws`` says."""
    seen = (found.cause != CENSORED) & (found.day < days)
    cause = np.where(seen, found.cause, CENSORED)
    at_risk_for = np.minimum(found.day + seen, days)
    happened, there = _counts(cause, at_risk_for, causes, days, draws)
    rate = np.divide(happened, there[:, None], out=np.zeros_like(happened), where=there[:, None] > 0)
    nobody = there <= 0
    none = _kept(1 - rate.sum(axis=1), nobody)
    alone = 1 - _kept(1 - rate[:, 0], nobody)
    steps = none[:, None, :-1] * rate
    steps[np.isnan(none[:, 1:])[:, None].repeat(causes, axis=1)] = np.nan
    by_cause = np.zeros((*steps.shape[:2], days + 1))
    by_cause[..., 1:] = steps.cumsum(axis=-1)
    return Incidence(by_cause, none, alone)


def _counts(
    cause: npt.NDArray[np.int64], at_risk_for: npt.NDArray[np.int64], causes: int, days: int, draws: Draws
) -> tuple[Floats, Floats]:
    """How many rows had each cause on each day (draws, causes, days), and how many were at risk (draws, days)."""
    cell = cause * (days + 1) + at_risk_for
    cells = (causes + 1) * (days + 1)
    each = draws.row_weight
    counts = np.empty((len(draws.weights), cells))
    for number, drawn in enumerate(draws.weights):
        weight = drawn[draws.people]
        counts[number] = np.bincount(cell, weight if each is None else weight * each, minlength=cells)
    gone = counts.reshape(len(counts), causes + 1, days + 1)
    leaving = gone.sum(axis=1)
    there = leaving[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]  # at risk on day d: at risk for d + 1 days or more
    return gone[:, 1:, 1:], there


def _kept(share: Floats, nobody: npt.NDArray[np.bool_]) -> Floats:
    """The product of daily shares, from 1; NaN from a day on which nobody is there, unless nobody was left to lose."""
    kept = np.ones((share.shape[0], share.shape[1] + 1))
    kept[:, 1:] = np.maximum(share, 0.0).cumprod(axis=1)
    kept[kept < 1e-12] = 0.0
    unknown = nobody & (kept[:, :-1] > 0)
    kept[:, 1:][np.maximum.accumulate(unknown, axis=1)] = np.nan
    return kept
