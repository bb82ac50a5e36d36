"""Comparison with the oracle: on simulated people the true risk is known, so the distance of the model to it (regret)
is too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.evaluation.figures import PairRows, comparable
from training.statistics.metrics import Scored
from training.statistics.resampling import Estimate, Floats, Mask

TRUE_NAME = {"disengagement": "new_disengagement"}
"""The oracle's name for each of our outcomes: a model predicts disengagement that begins on or after ``as_of``."""
EVENT_SHARE = 2 / 3
"""Of the sampled rows, this many come from rows before an event, if there are enough. A uniform sample would hold one
in fifty, too few to measure regret.
"""


def true_risks(
    truth: Any | None,
    spine: pd.DataFrame,
    test: Mask,
    happened: Mask,
    horizons: Mapping[str, Sequence[int]],
    rows: int,
    futures: int,
    seed: int,
) -> tuple[npt.NDArray[np.int64], dict[str, Floats]]:
    """Positions of about ``rows`` test rows and their true risks by outcome and horizon; empty if no truth is known.
    || ``happened`` marks rows before an event, within any horizon. A position is repeated as often as it represents
    rows: if one row in 30 was drawn, 30 times. So every figure over the positions is a figure of the whole test
    slice.
    """
    at = np.flatnonzero(test)
    known = getattr(truth, "outcomes", None)  # the simulator has no true risk for an outcome that a trust defined
    horizons = {o: days for o, days in horizons.items() if known is None or TRUE_NAME.get(o, o) in known}
    if truth is None or not rows or not len(at) or not horizons:
        return np.zeros(0, dtype=np.int64), {}
    drawn, times = _drawn(at, happened[at], rows, np.random.default_rng(seed))
    asked = spine.iloc[drawn].reset_index(drop=True)
    long = truth.risk(asked, {TRUE_NAME.get(o, o): days for o, days in horizons.items()}, draws=futures, seed=seed)
    risks = {}
    for outcome, days in horizons.items():
        for horizon in days:
            part = long[(long["outcome"] == TRUE_NAME.get(outcome, outcome)) & (long["horizon"] == horizon)]
            merged = asked[["patient_id", "as_of"]].merge(part, on=["patient_id", "as_of"], how="left")
            risks[f"{outcome}_{horizon}"] = np.repeat(merged["probability"].to_numpy(dtype=np.float64), times)
    return np.repeat(drawn, times), risks


def _drawn(
    at: npt.NDArray[np.int64], happened: Mask, rows: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A sample of ``at`` in order, and how many rows each represents, drawn separately from rows before an event and
    from other rows.
    """
    before, others = at[happened], at[~happened]
    room = min(len(before), round(EVENT_SHARE * rows))
    found = []
    for part, most in ((before, room), (others, rows - room)):
        every = max(1, math.ceil(len(part) / max(1, most)))
        found += [(position, every) for position in rng.permutation(part)[int(rng.integers(every)) :: every].tolist()]
    drawn, times = np.array(sorted(found), dtype=np.int64).reshape(-1, 2).T
    return drawn, times


def regret(
    rows: PairRows, model: Floats, rules: Mapping[str, Floats], at: npt.NDArray[np.int64], risk: Floats | None
) -> dict[str, Any] | None:
    """AUROC of the oracle less AUROC of the model on the same sampled rows, paired; the distance between their risks;
    and how far the model gets from the best rule to the oracle, as a share. ``model`` and ``rules`` are scores of
    ``rows``; ``risk`` belongs to the spine positions ``at``, which may repeat (:func:`true_risks`).
    """
    if risk is None:
        return None
    place = np.searchsorted(rows.at, at)
    here = (place < len(rows.at)) & ~np.isnan(risk)
    here[here] &= rows.at[place[here]] == at[here]
    if not here.any():
        return None
    places = place[here]
    label, draws = rows.label[places], rows.draws.where(places)
    true, own = risk[here], model[places]
    oracle_auroc, model_auroc = (Scored(label, score).ranking(draws)["auroc"] for score in (true, own))
    by_rule = {who: Scored(label, score[places]).ranking(draws)["auroc"] for who, score in rules.items()}
    best = max(by_rule, key=lambda who: comparable(by_rule[who][0]))
    reach = oracle_auroc - by_rule[best]
    way = np.divide(model_auroc - by_rule[best], reach, out=np.full(len(reach), np.nan), where=reach > 0)
    return {
        "rows": len(np.unique(places)),
        "event_rows": int(rows.label[np.unique(places)].sum()),
        "oracle_auroc": Estimate.of(oracle_auroc).as_dict(),
        "model_auroc": Estimate.of(model_auroc).as_dict(),
        "best_rule": best,
        "best_rule_auroc": Estimate.of(by_rule[best]).as_dict(),
        "regret": Estimate.of(oracle_auroc - model_auroc).as_dict(),
        "share_of_the_way": Estimate.of(way).as_dict(),
        "mean_absolute_error": Estimate.of(draws.ratio(np.abs(own - true))).as_dict(),
        "mean_true_risk": Estimate.of(draws.ratio(true)).as_dict(),
        "mean_model_risk": Estimate.of(draws.ratio(own)).as_dict(),
    }
