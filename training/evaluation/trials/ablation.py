"""What each group of features is worth: the model fitted again without the group, on the same rows and settings, and
compared with the model on the same later rows.

Groups are the tables that features read, or their clinical concepts. A group that loses nothing may still be used:
other features say the same. Differences are paired, from the same bootstrap draws of people; above 0 the group is worth
something. Every group takes one fit of all outcomes, so the settings leave this out by default
(``evaluation.ablation``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import CONCEPTS
from training.dataset.splits import Split
from training.errors import NotEnoughData
from training.fitting.boosters import Fitted, fit
from training.fitting.inputs import FrameMatrix
from training.fitting.stacked import Weights
from training.settings import Settings
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats, codes

OTHER = "other"
"""Group of a feature that names no table or concept."""


def by_table(feature: Any) -> str:
    """The table that a feature reads."""
    return str(getattr(feature, "table", OTHER))


def by_concept(feature: Any) -> str:
    """The heading of a feature's clinical concept."""
    slug = str(getattr(feature, "concept", OTHER))
    return CONCEPTS[slug].label if slug in CONCEPTS else slug


GROUPS: Mapping[str, Callable[[Any], str]] = {"tables": by_table, "concepts": by_concept}


@dataclass(frozen=True)
class _Tested:
    """The labelled test rows of one outcome and horizon."""

    at: npt.NDArray[np.int64]
    """Positions among the test rows."""
    label: Floats
    draws: Draws

    def auroc(self, score: Floats) -> Floats:
        """The AUROC of scores of all test rows, first of the rows as they are, then in each draw."""
        return Scored(self.label, score[self.at]).ranking(self.draws)["auroc"]


def without_each(
    fitted: Fitted,
    values: npt.NDArray[np.float32],
    labels: pd.DataFrame,
    spine: pd.DataFrame,
    split: Split,
    model: Mapping[str, Floats],
    settings: Settings,
    weights: Weights | None = None,
) -> list[dict[str, Any]]:
    """One entry for each group, the one worth most first: its name, how many features it has, and for each outcome and
    horizon what the AUROC loses without it (None where nothing can be fitted without it). ``model`` are the model's
    own risks of every row of ``spine``.
    """
    tested = np.flatnonzero(split.test)
    rows = {
        name: _rows(labels[name].to_numpy(dtype=np.float64)[tested], spine, tested, settings, (weights or {}).get(name))
        for name in model
    }
    own = {name: rows[name].auroc(risk[tested]) for name, risk in model.items()}
    group_of = GROUPS[settings.evaluation.ablation]
    member = np.array([group_of(feature) for feature in fitted.features])
    found = []
    for group in dict.fromkeys(member.tolist()):
        kept = np.flatnonzero(member != group)
        risks = _risks(kept, fitted, values, labels, split, settings, weights)
        lost = {name: Estimate.of(own[name] - rows[name].auroc(risk)) for name, risk in risks.items()}
        found.append({"group": group, "features": int((member == group).sum()), "lost": lost})
    found.sort(key=lambda one: -max((figure.value for figure in one["lost"].values()), default=np.inf))
    return [
        one | {"lost": {name: one["lost"][name].as_dict() if one["lost"] else None for name in model}} for one in found
    ]


def _rows(
    label: Floats, spine: pd.DataFrame, tested: npt.NDArray[np.int64], settings: Settings, weight: Floats | None
) -> _Tested:
    at = np.flatnonzero(~np.isnan(label))
    people = codes(spine["patient_id"].iloc[tested[at]])
    draws = Draws.of(people, settings.evaluation.bootstrap_draws, settings.training.seed)
    return _Tested(at, label[at], draws.standing_for(None if weight is None else weight[tested[at]]))


def _risks(
    kept: npt.NDArray[np.int64],
    fitted: Fitted,
    values: npt.NDArray[np.float32],
    labels: pd.DataFrame,
    split: Split,
    settings: Settings,
    weights: Weights | None,
) -> dict[str, Floats]:
    """Risks of the test rows by a model of some columns; empty where they do not allow one."""
    features = [fitted.features[column] for column in kept]
    matrix = FrameMatrix(np.ascontiguousarray(values[:, kept]), tuple(feature.name for feature in features))
    try:
        again = fit(
            matrix,
            labels,
            split.train,
            split.calibration,
            fitted.horizons,
            settings.training,
            features=features,
            weights=weights,
        )
    except NotEnoughData:
        return {}
    return again.by_pair(matrix.values[split.test])
