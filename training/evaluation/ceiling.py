"""The ceiling: what a filter that knows the simulator's mechanism makes of the records (docs/evaluation.md). It splits
the distance from the model to the oracle into what no record holds and what a better model could still reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.evaluation.figures import PairRows
from training.evaluation.oracle import TRUE_NAME
from training.simulator import Truth
from training.simulator.ceiling import filtered_risk
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats


class Ceiling(NamedTuple):
    """``risks`` by outcome and horizon; ``beliefs`` float64 (rows, ``HIDDEN``): the filter's mean of each hidden
    quantity.
    """

    risks: dict[str, Floats]
    beliefs: Floats


def ceiling_risks(
    truth: Any | None,
    spine: pd.DataFrame,
    positions: npt.NDArray[np.int64],
    horizons: Mapping[str, Sequence[int]],
    particles: int,
    futures: int,
    seed: int,
    threads: int = 2,
) -> Ceiling:
    """What the filter makes of ``positions`` of the spine (which may repeat). Empty without the truth of a simulated
    trust or without particles.
    """
    if not isinstance(truth, Truth) or not particles or not len(positions):
        return Ceiling({}, np.zeros((len(positions), 0)))
    at, place = np.unique(positions, return_inverse=True)
    known = {o: days for o, days in horizons.items() if TRUE_NAME.get(o, o) in truth.outcomes}
    asked = {TRUE_NAME.get(o, o): days for o, days in known.items()}
    spine = spine.iloc[at].reset_index(drop=True)
    filtered = filtered_risk(truth, spine, asked, particles, futures, seed, threads)
    found = filtered.risks
    risks = {}
    for outcome, days in known.items():
        for horizon in days:
            here = (found["outcome"] == TRUE_NAME.get(outcome, outcome)) & (found["horizon"] == horizon)
            risks[f"{outcome}_{horizon}"] = found.loc[here, "probability"].to_numpy(dtype=np.float64)[place]
    return Ceiling(risks, filtered.hidden[place, 0])


def expected_split(true: Floats, scores: Mapping[str, Floats], draws: Draws) -> dict[str, Any]:
    """The figures of :func:`split_regret`, where each row counts as an event as often as its true risk says, and as
    none otherwise: what those figures are on average over all that could have happened. Few events leave no chance in
    them. ``scores`` are those of oracle, ceiling and model, and perhaps of ceiling and model ``together``; the oracle's
    must rest on other futures than ``true``.
    """
    twice = draws.where(np.tile(np.arange(len(true)), 2))
    twice = twice.standing_for(np.concatenate([draws.each * true, draws.each * (1 - true)]))
    label = np.repeat([1.0, 0.0], len(true))
    auroc = {who: Scored(label, np.tile(score, 2)).ranking(twice)["auroc"] for who, score in scores.items()}
    return {
        "rows": len(true),
        "expected_events": round(float(true.sum()), 1),
        **_distances(auroc),
        "observed_to_expected": Estimate.of(draws.ratio(true, scores["ceiling"])).as_dict(),
    }


def split_regret(
    rows: PairRows, model: Floats, at: npt.NDArray[np.int64], oracle: Floats | None, ceiling: Floats | None
) -> dict[str, Any] | None:
    """AUROC of oracle, ceiling and model on the same sampled rows, paired; ``share`` is (ceiling - model) / (ceiling -
    0.5). ``model`` are scores of ``rows``; the risks belong to the spine positions ``at``. None without a ceiling.
    """
    if oracle is None or ceiling is None:
        return None
    place = np.searchsorted(rows.at, at)
    here = (place < len(rows.at)) & ~np.isnan(oracle) & ~np.isnan(ceiling)
    here[here] &= rows.at[place[here]] == at[here]
    if not here.any():
        return None
    places = place[here]
    label, draws = rows.label[places], rows.draws.where(places)
    scores = {"oracle": oracle[here], "ceiling": ceiling[here], "model": model[places]}
    auroc = {who: Scored(label, score).ranking(draws)["auroc"] for who, score in scores.items()}
    return {
        "rows": len(np.unique(places)),
        "event_rows": int(rows.label[np.unique(places)].sum()),
        **_distances(auroc),
        "observed_to_expected": Estimate.of(draws.ratio(label, ceiling[here])).as_dict(),
    }


def _distances(auroc: Mapping[str, Floats]) -> dict[str, Any]:
    """AUROC of all with their draws, and what lies between them."""

    def share_to(best: Floats) -> dict[str, Any]:
        room = best - 0.5
        share = np.divide(best - auroc["model"], room, out=np.full(len(room), np.nan), where=room > 0)
        return Estimate.of(share).as_dict()

    found = {
        **{f"{who}_auroc": Estimate.of(found).as_dict() for who, found in auroc.items()},
        "not_in_records": Estimate.of(auroc["oracle"] - auroc["ceiling"]).as_dict(),
        "model_short": Estimate.of(auroc["ceiling"] - auroc["model"]).as_dict(),
        "share": share_to(auroc["ceiling"]),
    }
    return found | ({"share_to_together": share_to(auroc["together"])} if "together" in auroc else {})
