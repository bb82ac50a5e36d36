"""Ranges for the model that serves: the spread of refits, learned as a function of the inputs, with the factors that
were learned on simulated people (``training.learn_ranges``).

Each refit gives every person a weight drawn from an exponential distribution (the Bayesian bootstrap, Rubin 1981) and
grows the trees again. The standard deviation of the refits' margins, times the slope of the calibration, is the spread
of a row. A booster of few trees then learns its logarithm, so that the bundle holds one small file for each outcome in
place of every refit, and a row costs no more than a few trees.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import JsonValue

from models.ranges import FittedRanges, OutcomeFactors, RangeFactor, RangesDocument, factors_at
from models.risk_model import stack_horizons
from training.fitting.boosters import Fitted, raw_margins
from training.fitting.inputs import HORIZON_COLUMN
from training.fitting.stacked import Floats, Mask, StackedRows, Weights
from training.settings import TrainingSettings

FACTORS = "range_factors.csv"
FEWEST_SPREAD = 1e-3
"""A spread of nothing has no logarithm."""
_SMALL = {"num_leaves": 8, "max_depth": 3, "learning_rate": 0.15, "min_data_in_leaf": 40, "lambda_l2": 1.0}
_TREES = 30


def fit_ranges(
    fitted: Fitted,
    values: npt.NDArray[np.floating],
    labels: pd.DataFrame,
    people: npt.NDArray[np.int64],
    train: Mask,
    settings: TrainingSettings,
    counts: Weights | None = None,
) -> FittedRanges | None:
    """The ranges of ``fitted``, from refits on its training rows; None where the settings ask for no refits, or no
    factors are known for its outcomes. ``people`` is the person of each row, as a number;
    ``counts`` how much each row counts for the trees, as ``weights`` of ``fit``.
    """
    learned, known = read_factors()
    outcomes = [outcome for outcome in fitted.boosters if outcome in known]
    if not settings.range_refits or not outcomes:
        return None
    spreads = spread_boosters(fitted, values, labels, people, train, settings, counts)
    entries = {
        outcome: OutcomeFactors(
            booster=f"spread_{outcome}.txt", scale=1.0, factors=factors_at(known[outcome], fitted.horizons[outcome])
        )
        for outcome in outcomes
    }
    document = RangesDocument(refits=settings.range_refits, learned=learned, outcomes=entries)
    return FittedRanges(document, {outcome: spreads[outcome] for outcome in outcomes})


def rescaled(ranges: FittedRanges, labels: pd.DataFrame, train: Mask, served: Fitted) -> FittedRanges:
    """The same ranges for the model that was fitted again on every row: a spread falls with the square root of the
    events that were learned from."""
    entries = {}
    for outcome, entry in ranges.document.outcomes.items():
        happened = (labels[[f"{outcome}_{h}" for h in served.horizons[outcome]]] == 1).to_numpy().sum(axis=1)
        scale = float(np.sqrt(happened[train].sum() / happened.sum()))
        entries[outcome] = entry.model_copy(update={"scale": entry.scale * scale})
    return FittedRanges(ranges.document.model_copy(update={"outcomes": entries}), ranges.boosters)


def spread_boosters(
    fitted: Fitted,
    values: npt.NDArray[np.floating],
    labels: pd.DataFrame,
    people: npt.NDArray[np.int64],
    train: Mask,
    settings: TrainingSettings,
    counts: Weights | None = None,
) -> dict[str, lightgbm.Booster]:
    """For each outcome, a booster of the logarithm of the spread over ``settings.range_refits`` refits.

    A refit learns from all rows of people drawn until ``settings.range_rows`` is reached; the spread is then scaled to
    the people that there are.
    """
    rng = np.random.default_rng(settings.seed + 2)
    weights = rng.exponential(size=(settings.range_refits, int(people.max()) + 1))
    learned, share = _few(people, train, settings.range_rows, rng)
    shown = np.sort(rng.permutation(np.flatnonzero(train))[: settings.range_rows // 4])

    def of_outcome(outcome: str) -> lightgbm.Booster:
        own = settings.of(outcome)
        days = fitted.horizons[outcome]
        wanted = labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        rows = StackedRows.of(values, wanted, learned, days, outcome, fitted.features, own, counts)
        margins = []
        for drawn in weights:
            booster = rows.grow_weighted(drawn[people[rows.place]])
            margins.append(raw_margins(booster, values[shown], days, 1))
        names = [*fitted.names, HORIZON_COLUMN]
        spread = fitted.calibration[outcome].slope * np.std(margins, axis=0, ddof=1) * np.sqrt(share)
        return _learn(values[shown], days, np.log(np.maximum(spread, FEWEST_SPREAD)), names, settings.seed)

    with ThreadPoolExecutor(settings.threads) as pool:
        return dict(zip(fitted.boosters, pool.map(of_outcome, fitted.boosters), strict=True))


def read_factors() -> tuple[dict[str, JsonValue], dict[str, tuple[RangeFactor, ...]]]:
    """What the factors were learned from, and the factors by outcome."""
    with resources.files("training.fitting").joinpath(FACTORS).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    learned: dict[str, JsonValue] = {
        "from": "true risks of simulated people (training/learn_ranges.py)",
        "people": int(table["people"].max()),
        "on": str(table["learned_on"].max()),
    }
    names = list(RangeFactor.model_fields)
    factors = {
        str(outcome): tuple(RangeFactor.model_validate(one) for one in rows[names].to_dict("records"))
        for outcome, rows in table.groupby("outcome")
    }
    return learned, factors


def _few(people: npt.NDArray[np.int64], train: Mask, rows: int, rng: np.random.Generator) -> tuple[Mask, float]:
    """All training rows of as many people as have about ``rows`` of them, and the share of the rows that these are."""
    share = min(1.0, rows / int(train.sum()))
    if share == 1.0:
        return train, 1.0
    chosen = train & (rng.random(int(people.max()) + 1) < share)[people]
    return chosen, float(chosen.sum() / train.sum())


def _learn(
    values: npt.NDArray[np.floating], days: tuple[int, ...], target: Floats, names: list[str], seed: int
) -> lightgbm.Booster:
    rows = lightgbm.Dataset(stack_horizons(values, days), target.ravel(), feature_name=names)
    own = {"objective": "regression", "seed": seed, "deterministic": True, "force_col_wise": True, "num_threads": 1}
    return lightgbm.train({**own, **_SMALL, "verbosity": -1}, rows, num_boost_round=_TREES)


def ends(fitted: Fitted, ranges: FittedRanges, values: npt.NDArray[np.floating]) -> dict[str, tuple[Floats, Floats]]:
    """Lower and upper end of every risk that has a range, by outcome and horizon (``admission_28``)."""
    found: dict[str, tuple[Floats, Floats]] = {}
    for outcome, entry in ranges.document.outcomes.items():
        days = fitted.horizons[outcome]
        logit = fitted.calibration[outcome].logit(fitted.margins(values, outcome))
        log_spread = np.asarray(ranges.boosters[outcome].predict(stack_horizons(values, days), raw_score=True))
        low, high = entry.range_of(logit, log_spread.reshape(logit.shape))
        found |= {f"{outcome}_{horizon}": (low[:, c], high[:, c]) for c, horizon in enumerate(days)}
    return found
