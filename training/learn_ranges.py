"""Learns the factors of the ranges on simulated trusts, where each person's true risk is known, and writes
``training/fitting/range_factors.csv``::

    python -m training.learn_ranges --people 1500 --out training/fitting/range_factors.csv

For each trust a model is trained and its refits' spread learned, as in any training. Then one test row of each person
is compared with the simulator's risk, from more futures where the first held no event. What is learned is where true
risks lie from the model's on the logit: a shift and a standard deviation that depend on the risk, by maximum likelihood
with the noise of the simulated futures in it, and how many standard deviations below and above leave one true risk in
twenty outside.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq, minimize
from scipy.special import logsumexp, xlog1py, xlogy

from models.calibration import sigmoid
from models.ranges import LEVEL, RangeFactor
from models.risk_model import stack_horizons
from training.dataset.prepare import Clock, Prepared, prepare
from training.errors import NotEnoughData
from training.evaluation.oracle import TRUE_NAME
from training.fitting.boosters import Fitted, fit
from training.fitting.ranges import spread_boosters
from training.settings import Settings
from training.simulator import SimulatedTrust, Truth, World, simulate
from training.statistics.resampling import Floats, Mask, codes
from training.statistics.true_risks import below, distances

YEARS, TEAMS = 4, 8
FUTURES, MORE_FUTURES = 200, 2000
"""Of each row, and of each row without an event of some outcome among the first: its risk may be anything below one in
a few hundred, and the lower ends of ranges lie there (``training.statistics.true_risks``)."""
LEVELS, SLOPES = ("shift", "log_hidden"), ("shift_slope", "log_hidden_slope")
TRUSTS: Mapping[int, World] = {
    11: World(),
    12: World(severity_spread=1.2, drift_admission=0.3),
    13: World(adherence_spread=1.0, informative_missing=0.8, severity_noise=0.1),
    14: World(drift_engagement=-0.3, adherence_level=1.9, substance_start=0.003),
    15: World(),
    16: World(),
}
"""Seeds and worlds: the simulator's own three times, and three where people differ in other ways, where admissions or
missed contacts rise, and where the tests of the unwell are lost. Factors from one trust alone would fit that trust."""
Counted = Mapping[tuple[str, int], tuple[Floats, Floats]]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)


@dataclass(frozen=True)
class SimulatedRisks:
    """Rows of one outcome and horizon: the model's risk on the logit, its spread, the futures with the event, and all
    futures."""

    logit: Floats
    spread: Floats
    happened: Floats
    futures: Floats


def train_on(people: int, seed: int, world: World, settings: Settings) -> tuple[SimulatedTrust, Prepared, Fitted]:
    """A simulated trust, its rows, and a model trained on them as in any training."""
    trust = simulate(patients=people, years=YEARS, seed=seed, teams=TEAMS, world=world)
    ready = prepare(trust.records, settings, Clock(lambda _: None))
    split, horizons = ready.split, settings.outcomes.horizons
    fitted = fit(ready.matrix, ready.labels, split.train, split.calibration, horizons, settings.training)
    return trust, ready, fitted


def observe(people: int, seed: int, world: World, settings: Settings) -> dict[tuple[str, int], SimulatedRisks]:
    """One test row of each person of a simulated trust, by outcome and horizon."""
    trust, ready, fitted = train_on(people, seed, world, settings)
    split, horizons = ready.split, settings.outcomes.horizons
    owner = codes(ready.spine["patient_id"])
    spreads = spread_boosters(fitted, ready.matrix.values, ready.labels, owner, split.train, settings.training)
    at = one_row_each(owner, split.test, seed)
    spine, values = ready.spine.iloc[at].reset_index(drop=True), ready.matrix.values[at]
    _, counted = count_futures(trust.truth, spine, horizons, seed)
    found = {}
    for outcome, days in horizons.items():
        logit = fitted.calibration[outcome].logit(fitted.margins(values, outcome))
        log_spread = np.asarray(spreads[outcome].predict(stack_horizons(values, days))).reshape(logit.shape)
        for column, horizon in enumerate(days):
            happened, futures = counted[outcome, horizon]
            here = futures > 0
            found[outcome, horizon] = SimulatedRisks(
                logit[here, column], np.exp(log_spread[here, column]), happened[here], futures[here]
            )
    return found


def one_row_each(owner: npt.NDArray[np.int64], test: Mask, seed: int) -> npt.NDArray[np.int64]:
    """Positions of one random test row of each person, in order."""
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(test))
    return np.sort(drawn[np.unique(owner[drawn], return_index=True)[1]])


def count_futures(
    truth: Truth, spine: pd.DataFrame, horizons: Mapping[str, Sequence[int]], seed: int
) -> tuple[Counted, Counted]:
    """Of each row of ``spine``, by outcome and horizon, the futures with the event and all futures (0 where the person
    was absent): first of ``FUTURES``, then with ``MORE_FUTURES`` more of rows without an event of some pair."""
    asked = {TRUE_NAME.get(outcome, outcome): days for outcome, days in horizons.items()}

    def count(risks: pd.DataFrame, outcome: str, horizon: int, futures: int) -> tuple[Floats, Floats]:
        own = risks[(risks["outcome"] == TRUE_NAME.get(outcome, outcome)) & (risks["horizon"] == horizon)]
        share = spine.merge(own, on=["patient_id", "as_of"], how="left")["probability"].to_numpy(dtype=np.float64)
        return np.round(np.nan_to_num(share) * futures), np.where(np.isnan(share), 0.0, futures)

    pairs = [(outcome, horizon) for outcome, days in horizons.items() for horizon in days]
    risks = truth.risk(spine, asked, draws=FUTURES, seed=seed)
    first = {pair: count(risks, *pair, FUTURES) for pair in pairs}
    never = risks.loc[risks["probability"] == 0, ["patient_id", "as_of"]].drop_duplicates().reset_index(drop=True)
    if never.empty:
        return first, first
    again = truth.risk(never, asked, draws=MORE_FUTURES, seed=seed + 1)
    more = {pair: count(again, *pair, MORE_FUTURES) for pair in pairs}
    return first, {pair: (first[pair][0] + more[pair][0], first[pair][1] + more[pair][1]) for pair in pairs}


def learn(trusts: Sequence[SimulatedRisks], horizon: int) -> RangeFactor:
    """The factor at one horizon, from rows of several trusts. A slope that differs from trust to trust is chance of
    their calibrations, so slopes are shrunk by how much they do."""
    everybody = SimulatedRisks(*(np.concatenate([getattr(one, name) for one in trusts]) for name in vars(trusts[0])))
    lowest, highest = np.quantile(everybody.logit, [0.02, 0.99])
    start = RangeFactor(
        horizon=horizon,
        centre=float(np.median(everybody.logit)),
        lowest=float(lowest),
        highest=float(highest),
        shift=0.0,
        shift_slope=0.0,
        log_hidden=0.0,
        log_hidden_slope=0.0,
        below=1.0,
        above=1.0,
    )
    alone = [_likeliest(one, start, (*LEVELS, *SLOPES)) for one in trusts]
    slopes = {name: _shrunk([getattr(one, name) for one in alone]) for name in SLOPES}
    found = _likeliest(everybody, start.model_copy(update=slopes), LEVELS)
    shift, hidden = found.offset(everybody.logit)
    width = np.hypot(everybody.spread, hidden)
    posterior = np.concatenate([distances(one.logit, one.happened, one.futures) for one in trusts])
    outside = (1 - LEVEL) / 2
    return found.model_copy(
        update={
            "below": _reach(lambda z: below(posterior, shift - z * width).mean() - outside),
            "above": _reach(lambda z: 1 - below(posterior, shift + z * width).mean() - outside),
        }
    )


def _reach(too_many_outside: Callable[[float], float]) -> float:
    """How many widths a range reaches to one side. Raises ``NotEnoughData`` where no reach leaves the right share
    outside: the true risks of so few people are too alike, or too far from the model's."""
    if not too_many_outside(0.2) > 0 > too_many_outside(8.0):
        raise NotEnoughData(
            "no width of the ranges leaves the right share of true risks outside; learn from more or larger trusts"
        )
    return float(brentq(too_many_outside, 0.2, 8.0))


def _likeliest(seen: SimulatedRisks, start: RangeFactor, free: tuple[str, ...]) -> RangeFactor:
    """``start`` with the ``free`` fields of greatest likelihood."""

    def factor(x: Floats) -> RangeFactor:
        return start.model_copy(update=dict(zip(free, map(float, x), strict=True)))

    def loss(x: Floats) -> float:
        shift, hidden = factor(x).offset(seen.logit)
        width = np.hypot(seen.spread, hidden)
        risk = np.clip(sigmoid((seen.logit + shift)[:, None] + width[:, None] * _NODES), 1e-12, 1 - 1e-12)
        terms = xlogy(seen.happened[:, None], risk) + xlog1py((seen.futures - seen.happened)[:, None], -risk)
        return -float(logsumexp(terms + np.log(_WEIGHTS / _WEIGHTS.sum()), axis=1).sum())

    begin = np.array([getattr(start, name) for name in free])
    options = {"maxiter": 800, "xatol": 1e-3, "fatol": 1e-2}
    return factor(minimize(loss, begin, method="Nelder-Mead", options=options).x)


def _shrunk(values: Sequence[float]) -> float:
    """The mean, drawn towards 0 by the share of its square that is the variance of a mean of so many."""
    mean = float(np.mean(values))
    if len(values) < 2 or mean == 0:
        return 0.0
    return mean * max(0.0, 1 - float(np.var(values, ddof=1)) / len(values) / mean**2)


def learn_all(people: int, trusts: Mapping[int, World], settings: Settings) -> pd.DataFrame:
    """One row for each outcome and horizon: the factor learned on ``trusts`` (worlds by seed) of so many people, the
    people it was learned from, and today. The same arguments give the same factors."""
    seen = [observe(people, seed, world, settings) for seed, world in trusts.items()]
    rows = []
    for outcome, horizon in seen[0]:
        here = [trust[outcome, horizon] for trust in seen]
        factor = learn(here, horizon).model_dump()
        learned = {"people": sum(len(one.logit) for one in here), "learned_on": dt.date.today().isoformat()}
        rows.append({"outcome": outcome, **factor, **learned})
    return pd.DataFrame(rows).round(4)


def main(argv: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description="Learn the factors of the ranges on simulated trusts.")
    asked.add_argument("--people", type=int, default=1500)
    asked.add_argument("--out", type=Path, required=True)
    options = asked.parse_args(argv)
    settings = Settings()
    few = settings.training.model_copy(update={"fewest_calibration_events": 1})
    learn_all(options.people, TRUSTS, settings.model_copy(update={"training": few})).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
