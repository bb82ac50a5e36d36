"""Learns the factors of the ranges on simulated trusts, where each person's true risk is known, and writes
``training/fitting/range_factors.csv``::

    python -m training.learn_ranges --out training/fitting/range_factors.csv

For each trust a model is trained and its refits' spread learned, as in any training. Then one test row of some people
is compared with the simulator's risk. What is learned for each prediction window is where true risks lie from the
model's on the logit: a shift and a standard deviation by maximum likelihood, each changing with the risk, with the
noise of the simulated futures in it, and how many standard deviations below and above leave one true risk in twenty
outside. The trusts are large enough that the slopes learned on some hold on others; on trusts of 1,000 people they did
not (docs/evaluation.md).
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

from models.ranges import LEVEL, RangeFactor
from models.risk_model import stack_horizons
from training.dataset.prepare import Clock, Prepared, prepare
from training.errors import NotEnoughData
from training.evaluation.oracle import TRUE_NAME
from training.fitting.boosters import Fitted, fit
from training.fitting.ranges import spread_boosters
from training.settings import Settings
from training.simulator import SimulatedTrust, Truth, World, simulate
from training.simulator.ceiling import filtered_risk
from training.statistics.resampling import Floats, Mask, codes
from training.statistics.true_risks import GRID, below, distances, log_likelihood

YEARS, TEAMS = 4, 8
PEOPLE, ROWS = 4000, 900
"""People of each trust, and how many of them are compared with the truth."""
FUTURES, MORE_FUTURES = 100, (200, 700)
"""Futures of each row, and more, twice, of a row whose futures so far hold no disengagement: its risk may be anything
below one in a few hundred, and the lower ends of ranges lie there (``training.statistics.true_risks``)."""
WORTH = 60
"""The risk of an admission is a mean over futures of the summed chance of each day, and no share of events. From
``FUTURES`` futures it is as exact as a share that rests on about so many events (measured: docs/evaluation.md)."""
TRUSTS: Mapping[int, World] = {
    11: World(),
    12: World(severity_spread=1.2, drift_admission=0.3),
    13: World(adherence_spread=1.0, informative_missing=0.8, severity_noise=0.1),
    14: World(severity_spread=0.8, drift_admission=-0.3),
}
"""Seeds and worlds: the simulator's own; people differ more in severity and admissions rise; they differ more in taking
medicine and the tests of the unwell are lost; they differ less in severity and admissions fall. Factors from one trust
would fit that trust alone."""
Counted = Mapping[tuple[str, int], tuple[Floats, Floats]]


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


def observe(
    people: int, rows: int, seed: int, world: World, settings: Settings
) -> dict[tuple[str, int], SimulatedRisks]:
    """One test row of each of ``rows`` people of a simulated trust, by outcome and horizon."""
    trust, ready, fitted = train_on(people, seed, world, settings)
    split, horizons = ready.split, settings.outcomes.horizons
    owner = codes(ready.spine["patient_id"])
    spreads = spread_boosters(fitted, ready.matrix.values, ready.labels, owner, split.train, settings.training)
    at = one_row_each(owner, split.test, rows, seed)
    spine, values = ready.spine.iloc[at].reset_index(drop=True), ready.matrix.values[at]
    counted = count_futures(trust.truth, spine, horizons, seed)
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


def one_row_each(owner: npt.NDArray[np.int64], test: Mask, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Positions of one random test row of each person, or of ``most`` random people, in order."""
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(test))
    found = np.sort(drawn[np.unique(owner[drawn], return_index=True)[1]])
    if len(found) > most:
        found = np.sort(np.random.default_rng(seed).permutation(found)[:most])
    return found


def count_futures(truth: Truth, spine: pd.DataFrame, horizons: Mapping[str, Sequence[int]], seed: int) -> Counted:
    """Of each row of ``spine``, by outcome and horizon, how many futures held the event and how many there were (0
    where the person was absent). Of an admission, whose risk is no count, as many as tell as much: ``WORTH`` events."""
    asked = {TRUE_NAME.get(outcome, outcome): days for outcome, days in horizons.items()}

    def known(some: pd.DataFrame, futures: int, number: int, outcomes: Mapping[str, Sequence[int]]) -> pd.DataFrame:
        return filtered_risk(truth, some, outcomes, 1, futures, seed + 1000 * number, known=True).risks

    def share(table: pd.DataFrame, outcome: str, horizon: int) -> Floats:
        own = (table["outcome"] == TRUE_NAME.get(outcome, outcome)) & (table["horizon"] == horizon)
        return table.loc[own, "probability"].to_numpy(dtype=np.float64)

    first = known(spine, FUTURES, 0, asked)
    found: dict[tuple[str, int], tuple[Floats, Floats]] = {}
    for outcome, days in horizons.items():
        for horizon in days:
            risk = share(first, outcome, horizon)
            there = ~np.isnan(risk)
            if outcome == "admission":
                futures = np.divide(WORTH, np.maximum(risk, 1e-6), out=np.zeros(len(risk)), where=there)
                found[outcome, horizon] = np.where(there, WORTH, 0.0), futures
                continue
            happened, futures = np.round(np.nan_to_num(risk) * FUTURES), np.where(there, FUTURES, 0.0)
            for number, more in enumerate(MORE_FUTURES, start=1):
                none = np.flatnonzero(there & (happened == 0))
                if len(none):
                    again = known(
                        spine.iloc[none].reset_index(drop=True),
                        more,
                        number,
                        {TRUE_NAME.get(outcome, outcome): (horizon,)},
                    )
                    happened[none] += np.round(np.nan_to_num(share(again, outcome, horizon)) * more)
                    futures[none] += more
            found[outcome, horizon] = happened, futures
    return found


def learn(trusts: Sequence[SimulatedRisks], horizon: int) -> RangeFactor:
    """The factor at one horizon, from rows of several trusts."""
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
    found = _likeliest(everybody, start)
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


def _likeliest(seen: SimulatedRisks, start: RangeFactor) -> RangeFactor:
    """``start`` with the shift and the hidden part of greatest likelihood: first the same at every risk, then with the
    slopes that make them change with it."""
    known = log_likelihood(seen.logit, seen.happened, seen.futures)

    def loss(factor: RangeFactor) -> float:
        shift, hidden = factor.offset(seen.logit)
        width = np.hypot(seen.spread, hidden)[:, None]
        density = np.exp(known - 0.5 * ((GRID - shift[:, None]) / width) ** 2) / width
        return -float(np.log(density.sum(axis=1) + 1e-300).sum())

    for names in (("shift", "log_hidden"), ("shift", "log_hidden", "shift_slope", "log_hidden_slope")):

        def factor(x: Floats, names: Sequence[str] = names, start: RangeFactor = start) -> RangeFactor:
            return start.model_copy(update=dict(zip(names, map(float, x), strict=True)))

        begun = np.array([getattr(start, name) for name in names])
        start = factor(minimize(lambda x, factor=factor: loss(factor(x)), begun, method="BFGS").x)
    return start


def learn_all(people: int, rows_each: int, trusts: Mapping[int, World], settings: Settings) -> pd.DataFrame:
    """One row for each outcome and horizon: the factor learned on ``rows_each`` people of each of ``trusts`` (worlds by
    seed) of so many ``people``, the people it was learned from, and today. The same arguments give the same factors."""
    seen = [observe(people, rows_each, seed, world, settings) for seed, world in trusts.items()]
    rows = []
    for outcome, horizon in seen[0]:
        here = [trust[outcome, horizon] for trust in seen]
        factor = learn(here, horizon).model_dump()
        learned = {"people": sum(len(one.logit) for one in here), "learned_on": dt.date.today().isoformat()}
        rows.append({"outcome": outcome, **factor, **learned})
    return pd.DataFrame(rows).round(4)


def main(argv: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description="Learn the factors of the ranges on simulated trusts.")
    asked.add_argument("--people", type=int, default=PEOPLE)
    asked.add_argument("--rows", type=int, default=ROWS, help="people of each trust who are compared with the truth")
    asked.add_argument("--out", type=Path, required=True)
    options = asked.parse_args(argv)
    settings = Settings()
    few = settings.training.model_copy(update={"fewest_calibration_events": 1})
    settings = settings.model_copy(update={"training": few})
    learn_all(options.people, options.rows, TRUSTS, settings).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
