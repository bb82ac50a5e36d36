"""Whether the list depends on who was in the training data: refits on bootstrap draws of people (Riley and Collins
2023).

Each refit draws people with replacement, trains and calibrates with the same settings on all their rows, and scores
the same test rows. Compared with the model itself: who is in the top 25 of each team (Jaccard), how far each risk
moved, whether a person's listing flips, and whether the three concepts that contribute most to a listed person's risk
are the same. On the rows with a label, the net benefit of every refit at each threshold of the decision curve says
whether acting on the risk would have been worth it whatever the draw. The settings limit the number of refits, which
is stated beside the figures; the literature asks for 200.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from models.calibration import Calibration, fit_calibration
from models.errors import CalibrationError
from models.shapley.explainer import TreeShapley
from training.evaluation.decision_curves import thresholds
from training.fitting.boosters import Fitted, raw_margins, row_weights
from training.fitting.stacked import StackedRows, Weights
from training.settings import TrainingSettings
from training.statistics.metrics import places_in_lists
from training.statistics.resampling import Floats, Mask, codes

TOP = 25
TOP_CONCEPTS = 3
ENOUGH_FOR_PERCENTILES = 40
"""With fewer refits the 5th and the 95th percentile rest on the one or two refits at the end."""


@dataclass(frozen=True)
class Refit:
    """One outcome trained again: margins of the test rows (rows, horizons) and its calibration."""

    booster: lightgbm.Booster
    calibration: Calibration
    probability: Floats


def refits(
    fitted: Fitted,
    values: npt.NDArray[np.floating],
    labels: pd.DataFrame,
    people: npt.NDArray[np.int64],
    train: Mask,
    calibration: Mask,
    test: npt.NDArray[np.int64],
    settings: TrainingSettings,
    number: int,
    weights: Weights | None = None,
) -> dict[str, list[Refit]]:
    """``number`` refits of every outcome; of trees from a bundle, only the calibration is fitted again. ``people`` is
    the person of each row; ``test`` the positions of the rows to score; ``weights`` as for the fit itself."""
    rng = np.random.default_rng(settings.seed + 1)
    count = int(people.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=number)
    tested = np.ascontiguousarray(values[test])

    def of_outcome(outcome: str) -> list[Refit]:
        own = settings.of(outcome)
        horizons = fitted.horizons[outcome]
        wanted = labels[[f"{outcome}_{h}" for h in horizons]].to_numpy(dtype=np.float64)
        whole = StackedRows.of(values, wanted, train, horizons, outcome, fitted.features, own, weights)
        owner = people[whole.place]
        known = np.flatnonzero(calibration & ~np.isnan(wanted).all(axis=1))
        days = np.asarray(horizons)
        found = []
        for times in drawn:
            rows = np.repeat(np.arange(len(owner)), times[owner])
            booster = fitted.boosters[outcome]
            if not fitted.trees_of:
                booster = whole.grow_on(rows)
            again = np.repeat(known, times[people[known]])
            margin = raw_margins(booster, values[again], horizons, 1)
            try:
                counted = row_weights(weights, outcome, horizons, again)
                fit = fit_calibration(margin, wanted[again], np.broadcast_to(days, margin.shape), counted)
            except CalibrationError:  # a draw without events in the calibration slice cannot be calibrated
                continue
            found.append(Refit(booster, fit, fit.probability(raw_margins(booster, tested, horizons, 1))))
        return found

    with ThreadPoolExecutor(settings.threads) as pool:
        return dict(zip(fitted.boosters, pool.map(of_outcome, fitted.boosters), strict=True))


def figures(
    fitted: Fitted,
    again: Mapping[str, Sequence[Refit]],
    model: Mapping[str, Floats],
    values: npt.NDArray[np.floating],
    concepts: Sequence[str],
    team: npt.NDArray[np.int64],
    day: npt.NDArray[np.int64],
    explained: int = 200,
    labels: Mapping[str, Floats] | None = None,
    weights: Weights | None = None,
) -> dict[str, dict[str, Any]]:
    """Per outcome and horizon, over the refits. ``model`` are the model's own probabilities of the same rows;
    ``concepts`` the concept of each feature. With ``labels`` (NaN where a row has none) also the net benefit of each
    refit, rows counted by ``weights``."""
    found = {}
    for outcome, horizons in fitted.horizons.items():
        agree = _concept_agreement(
            fitted, again[outcome], model[f"{outcome}_{horizons[0]}"], values, concepts, outcome, explained
        )
        for column, horizon in enumerate(horizons):
            name = f"{outcome}_{horizon}"
            own = model[name]
            listed = _top(own, team, day)
            overlaps, moved, flips = [], [], []
            others = np.array([refit.probability[:, column] for refit in again[outcome]]).reshape(-1, len(own))
            for refit in again[outcome]:
                other = refit.probability[:, column]
                theirs = _top(other, team, day)
                overlaps.append(_jaccards(listed, theirs, team, day))
                moved.append(float(np.abs(other - own).mean()))
                flips.append(float((listed != theirs).mean()))
            found[name] = {
                "refits": len(overlaps),
                "median_jaccard_top25": _spread([float(np.median(one)) for one in overlaps]),
                "mean_absolute_prediction_error": _spread(moved),
                "mean_risk": round(float(own.mean()), 6),
                "listing_flips": _spread(flips),
                "top_three_concepts_agree": agree,
                "curve": _curve(own, others),
                "net_benefit": net_benefits(labels[name], own, others, (weights or {}).get(name)) if labels else None,
            }
    return found


def net_benefits(label: Floats, own: Floats, others: Floats, each: Floats | None = None) -> dict[str, Any] | None:
    """Net benefit of the model and of its refits (refits, rows), at the thresholds of the decision curve of these
    rows; None without a refit or a label. ``each`` says how many rows each row stands for."""
    known = ~np.isnan(label)
    if not len(others) or not known.any():
        return None
    label, each = label[known], np.ones(int(known.sum())) if each is None else each[known]
    at = thresholds(float((label * each).sum() / each.sum()))
    model = _net_benefit(label, own[known], each, at)
    again = np.array([_net_benefit(label, other[known], each, at) for other in others])
    alternative = np.maximum(0.0, _net_benefit(label, np.ones(len(label)), each, at))
    percentiles = len(again) >= ENOUGH_FOR_PERCENTILES
    low, middle, high = np.percentile(again, [5, 50, 95] if percentiles else [0, 50, 100], axis=0)
    curves = {"model": model, "low": low, "middle": middle, "high": high}
    share = (again > alternative).mean(axis=0)
    return {
        "percentiles": percentiles,
        "thresholds": [round(float(t), 6) for t in at],
        **{name: [round(float(value), 6) for value in curve] for name, curve in curves.items()},
        "share_useful": [round(float(one), 4) for one in share],
    }


def _net_benefit(label: Floats, risk: Floats, each: Floats, at: Floats) -> Floats:
    """Net benefit at every threshold, as :meth:`training.statistics.metrics.Scored.net_benefit`, in one pass."""
    reached = np.searchsorted(at, risk, side="right")
    events, others = (
        np.bincount(reached, each * counted, minlength=len(at) + 1)[::-1].cumsum()[::-1][1:]
        for counted in (label, 1 - label)
    )
    return (events - at / (1 - at) * others) / each.sum()


def _curve(own: Floats, others: Floats) -> list[dict[str, float]]:
    """In twentieths of the model's own risk: its mean, and the 5th, 50th and 95th percentile of the refits on the
    same rows.
    """
    if not others.size:
        return []
    curve = []
    for rows in np.array_split(np.argsort(own, kind="stable"), 20):
        low, middle, high = np.percentile(others[:, rows], [5, 50, 95])
        found = {"risk": own[rows].mean(), "low": low, "middle": middle, "high": high}
        curve.append({name: round(float(value), 6) for name, value in found.items()})
    return curve


def _top(score: Floats, team: npt.NDArray[np.int64], day: npt.NDArray[np.int64]) -> Mask:
    order, place = places_in_lists(score, team, day)
    listed = np.zeros(len(score), dtype=bool)
    listed[order] = place < TOP
    return listed


def _jaccards(a: Mask, b: Mask, team: npt.NDArray[np.int64], day: npt.NDArray[np.int64]) -> Floats:
    """Overlap (shared over either) of each team's list on each day."""
    lists = codes(team * (int(day.max()) + 1) + day)
    both, either = np.bincount(lists, a & b), np.bincount(lists, a | b)
    return both[either > 0] / either[either > 0]


def _concept_agreement(
    fitted: Fitted,
    again: Sequence[Refit],
    risk: Floats,
    values: npt.NDArray[np.floating],
    concepts: Sequence[str],
    outcome: str,
    explained: int,
) -> dict[str, float | None]:
    """Mean share of the three concepts with the largest contributions that a refit also names, over the rows of
    highest risk.
    """
    rows = np.argsort(-risk, kind="stable")[:explained]
    middle = fitted.horizons[outcome][len(fitted.horizons[outcome]) // 2]
    stacked = np.column_stack([values[rows], np.full(len(rows), middle, dtype=values.dtype)])
    own = _leading(fitted.boosters[outcome], stacked, concepts)
    return _spread(
        [float((own & _leading(refit.booster, stacked, concepts)).sum(axis=1).mean() / TOP_CONCEPTS) for refit in again]
    )


def _leading(booster: lightgbm.Booster, stacked: npt.NDArray[np.floating], concepts: Sequence[str]) -> Mask:
    """(rows, concepts): whether a concept is among the three of largest absolute contribution."""
    parts = TreeShapley(booster).contributions(stacked)[:, : len(concepts)]
    names, place = np.unique(np.asarray(concepts), return_inverse=True)
    summed = np.zeros((len(parts), len(names)))
    for column, concept in enumerate(place):
        summed[:, concept] += parts[:, column]
    leading = np.zeros(summed.shape, dtype=bool)
    np.put_along_axis(leading, np.argsort(-np.abs(summed), axis=1, kind="stable")[:, :TOP_CONCEPTS], True, axis=1)
    return leading


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    """The median over refits, with the lowest and the highest, because a few refits have no percentiles."""
    if not values:
        return {"value": None, "low": None, "high": None}
    return {"value": round(float(np.median(values)), 6), "low": round(min(values), 6), "high": round(max(values), 6)}
