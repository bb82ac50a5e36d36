"""The survival control: proportional hazards of one cause, with a baseline that is constant within pieces of time.

It learns from what labels leave out: a row whose person dies, moves or is discharged counts as followed until that
day, where a label of a longer horizon is missing. Within ``h`` days of ``as_of`` the risk is 1 - exp(-(time in each
piece x its rate) x exp(score)): the risk if nobody left, as the labels mean it. A hazard that is constant in pieces has
the likelihood of a Poisson regression of events on time at risk (Holford 1980; Laird and Olivier 1981), so scikit-learn
fits it.

The features of a row are the same in every piece. Given the rates, a row's events are therefore one Poisson count whose
exposure is the baseline up to the end of its time; given the coefficients, each rate is events over weighted time. The
two steps are repeated until the rates stay, which gives the joint maximum of the penalised likelihood.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor

from models.risk_model import Matrix
from training.dataset.labels import AT_RISK, FollowUp
from training.fitting.controls.standardised import Floats, Standardised
from training.settings import ControlSettings

LONGEST_PIECE_DAYS = 30
FEWEST_EVENTS = 10
"""With fewer rows with an event the control is left out: its baseline would be noise."""
MOST_ROUNDS = 20
MAX_STEPS = 200


@dataclass(frozen=True)
class TimeAtRisk:
    """Days from ``as_of`` to the event, the exit or the end of follow-up, one per row; 0 for a row that is not at risk.
    ``event`` is True where an event ended them."""

    days: Floats
    event: npt.NDArray[np.bool_]

    def at(self, rows: npt.NDArray[np.int64]) -> TimeAtRisk:
        return TimeAtRisk(self.days[rows], self.event[rows])


def time_at_risk(follow_up: FollowUp, outcome: str, longest_horizon: int) -> TimeAtRisk:
    """The time at risk of each row, cut at the longest horizon, so that it reads no day that its labels may not read.

    An event on the day of an exit counts, as in labels. Events and exits are placed at noon, so that an event on the
    last day of a horizon lies within it, and a person who leaves on the first day was at risk for half of one.
    """
    followed = follow_up.outcomes[outcome]
    ends = np.minimum(followed.event_day, followed.exit_day) - follow_up.day + 0.5
    complete = np.clip(follow_up.last_day + 1 - follow_up.day, 0, longest_horizon).astype(np.float64)
    at_risk = followed.not_at_risk == AT_RISK
    event = at_risk & (ends < complete) & (followed.event_day <= followed.exit_day)
    return TimeAtRisk(np.where(at_risk, np.minimum(ends, complete), 0.0), event)


def piece_ends(horizons: Sequence[int]) -> Floats:
    """Days on which pieces end: each horizon, and equal parts of at most 30 days between them."""
    ends: list[float] = []
    for start, end in zip([0, *sorted(horizons)], sorted(horizons), strict=False):
        parts = int(np.ceil((end - start) / LONGEST_PIECE_DAYS))
        ends += np.linspace(start, end, parts + 1)[1:].tolist()
    return np.array(ends)


@dataclass(frozen=True)
class Hazard:
    """The hazard of one outcome: a rate a day in each piece, at the mean of all features, and a coefficient for each
    column, on the log scale."""

    ends: Floats
    rates: Floats
    coefficients: Floats

    def cumulative(self, days: float) -> float:
        """The baseline's cumulative hazard within ``days``."""
        return float((time_in_pieces(np.array([days]), self.ends) @ self.rates)[0])

    def risk(self, columns: Floats, days: float) -> Floats:
        """The probability of an event within ``days``, one per row."""
        return -np.expm1(-self.cumulative(days) * np.exp(columns @ self.coefficients))


@dataclass(frozen=True)
class Survival:
    """Hazards by outcome, on standardised features."""

    features: Standardised
    hazards: Mapping[str, Hazard]
    horizons: Mapping[str, tuple[int, ...]]

    def probabilities(self, values: npt.NDArray[np.floating]) -> dict[str, Floats]:
        """Probabilities by outcome and horizon (``admission_28``), one per row, without outcomes with too few events,
        and horizons before which none was seen.
        """
        columns = self.features.columns(values)
        return {
            f"{outcome}_{days}": hazard.risk(columns, days)
            for outcome, hazard in self.hazards.items()
            for days in self.horizons[outcome]
            if hazard.cumulative(days) > 0
        }


def fit_survival(
    matrix: Matrix,
    follow_up: FollowUp,
    train: npt.NDArray[np.bool_],
    horizons: Mapping[str, Sequence[int]],
    settings: ControlSettings,
    features: Standardised,
    seed: int = 0,
) -> Survival:
    """Fits on at most ``settings.survival_rows`` training rows at risk per outcome (:func:`drawn_rows`). ``follow_up``
    holds new events only (:meth:`FollowUp.new_only`); ``features`` were learned on the training rows.
    """
    hazards = {}
    for outcome, days in horizons.items():
        time = time_at_risk(follow_up, outcome, max(days))
        rows, weights = drawn_rows(train, time, settings.survival_rows, seed)
        if time.event[rows].sum() < FEWEST_EVENTS:
            continue
        columns = features.columns(matrix.values[rows])
        hazards[outcome] = fit_hazard(columns, time.at(rows), weights, piece_ends(days), settings.survival_penalty)
    return Survival(features, hazards, {outcome: tuple(int(day) for day in days) for outcome, days in horizons.items()})


def drawn_rows(
    train: npt.NDArray[np.bool_], time: TimeAtRisk, most: int, seed: int
) -> tuple[npt.NDArray[np.int64], Floats]:
    """At most ``most`` training rows at risk, and how many rows each stands for.

    Rows with an event tell most, so they are drawn first; the others fill at least half of the places. With fewer rows
    than places each is drawn and stands for itself.
    """
    random = np.random.default_rng(seed)
    drawn, weights = [], []
    with_event, without = (np.flatnonzero(train & (time.days > 0) & kind) for kind in (time.event, ~time.event))
    places = max(most - len(without), min(len(with_event), most // 2))
    for rows, number in ((with_event, places), (without, most - min(places, len(with_event)))):
        kept = rows if len(rows) <= number else np.sort(random.choice(rows, number, replace=False))
        drawn.append(kept)
        weights.append(np.full(len(kept), len(rows) / max(len(kept), 1)))
    return np.concatenate(drawn), np.concatenate(weights)


def fit_hazard(
    columns: Floats, time: TimeAtRisk, weights: Floats, ends: Floats, penalty: float, *, closeness: float = 1e-3
) -> Hazard:
    """The maximum of the weighted log likelihood less ``penalty`` / 2 times the sum of squared coefficients; rates are
    not penalised. Steps end when no rate moves by more than the share ``closeness``.

    The settings' penalty of 3,000 was chosen among 1,000, 3,000 and 10,000 on the calibration slices of two simulated
    trusts, of 4,500 and 9,000 people: it ranks admission best on both, and disengagement within 0.006 of the best.
    """
    spent = time_in_pieces(time.days, ends) * weights[:, None]
    happened = weights * time.event
    pieces = np.searchsorted(ends, time.days[time.event])
    events = np.bincount(pieces, weights=happened[time.event], minlength=len(ends)).astype(np.float64)
    rates = _rates(events, spent.sum(axis=0))
    model = PoissonRegressor(max_iter=MAX_STEPS, warm_start=True, tol=closeness / 10)
    for _ in range(MOST_ROUNDS):
        exposure = spent @ rates
        known = exposure > 0
        model.set_params(alpha=penalty / exposure.sum())  # scikit-learn divides the likelihood by the sum of weights
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(columns[known], happened[known] / exposure[known], sample_weight=exposure[known])
        before, rates = rates, _rates(events, np.exp(columns @ model.coef_) @ spent)
        if (np.abs(rates - before) <= closeness * before).all():
            break
    return Hazard(ends, rates, np.asarray(model.coef_, dtype=np.float64))


def time_in_pieces(days: Floats, ends: Floats) -> Floats:
    """Days that each row spends in each piece: rows by pieces."""
    starts = np.concatenate([[0.0], ends[:-1]])
    return np.clip(days[:, None] - starts, 0.0, ends - starts)


def _rates(events: npt.NDArray[np.floating], exposure: Floats) -> Floats:
    return np.divide(events, exposure, out=np.zeros_like(events), where=exposure > 0)
