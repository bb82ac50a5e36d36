"""The rows of one outcome as boosters learn from them: stacked over horizons, with the horizon as the last column, and
cut into bins once for every booster that grows on all of them or on some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData
from training.fitting.inputs import HORIZON_COLUMN
from training.settings import TrainingSettings

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Weights = Mapping[str, Floats]
FEWEST_EVENTS = 20
"""With fewer events in the training slice no model is fitted, because it would be noise. A safeguard, not a sample
size.
"""


@dataclass(frozen=True)
class StackedRows:
    """Rows with a label, in bins. ``place`` is the position of each in the matrix."""

    outcome: str
    place: npt.NDArray[np.int64]
    answers: Floats
    weights: Floats | None
    bins: lightgbm.Dataset
    parameters: Mapping[str, Any]
    trees: int

    @classmethod
    def of(
        cls,
        values: npt.NDArray[np.floating],
        labels: Floats,
        rows: Mask,
        horizons: Sequence[int],
        outcome: str,
        features: Sequence[Any],
        settings: TrainingSettings,
        weights: Weights | None = None,
    ) -> StackedRows:
        """The rows of the mask ``rows`` with a label; ``labels`` has a column for each horizon, ``settings`` are the
        outcome's own.
        """
        stacked, answers = stacked_rows(values, labels, rows, horizons)
        names = [feature.name for feature in features]
        known = [np.flatnonzero(rows & ~np.isnan(labels[:, column])) for column in range(len(horizons))]
        counted = None if weights is None else stacked_weights(weights, labels, rows, outcome, horizons)
        parameters = lightgbm_parameters(settings, features)
        bins = lightgbm.Dataset(
            stacked,
            answers,
            weight=counted,
            feature_name=[*names, HORIZON_COLUMN],
            params=parameters,
            free_raw_data=True,
        ).construct()
        return cls(outcome, np.concatenate(known), answers, counted, bins, parameters, settings.trees)

    def grow(self) -> lightgbm.Booster:
        """A booster on all rows. Raises NotEnoughData for too few events."""
        check_events(self.answers, self.outcome)
        return self._grown(self.bins)

    def grow_on(self, some: npt.NDArray[np.int64]) -> lightgbm.Booster:
        """A booster on some rows, by their positions here; a position that comes twice counts twice."""
        return self._grown(self.bins.subset(some.tolist()))

    def grow_weighted(self, times: Floats) -> lightgbm.Booster:
        """A booster on all rows, each counted ``times`` as much as before. It changes the weights of these rows, so one
        thread at a time may call it, and nothing else after it.
        """
        self.bins.set_weight(times if self.weights is None else times * self.weights)
        return self._grown(self.bins)

    def _grown(self, bins: lightgbm.Dataset) -> lightgbm.Booster:
        return lightgbm.train(dict(self.parameters), bins, num_boost_round=self.trees)


def lightgbm_parameters(settings: TrainingSettings, features: Sequence[Any]) -> dict[str, Any]:
    """The parameters handed to ``lightgbm.train``, apart from the number of trees."""
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "max_depth": settings.max_depth,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.min_rows_in_leaf,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.row_fraction,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "max_bin": settings.bins,
        "monotone_constraints": [int(feature.direction or 0) for feature in features] + [1],
        "seed": settings.seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def stacked_rows(
    values: npt.NDArray[np.floating], labels: Floats, rows: Mask, horizons: Sequence[int]
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Rows with a label, once per horizon, with the horizon as the last column; and their labels."""
    blocks, answers = [], []
    for column, horizon in enumerate(horizons):
        known = np.flatnonzero(rows & ~np.isnan(labels[:, column]))
        block = np.empty((len(known), values.shape[1] + 1), dtype=np.float32)
        block[:, :-1] = values[known]
        block[:, -1] = horizon
        blocks.append(block)
        answers.append(labels[known, column])
    return np.concatenate(blocks), np.concatenate(answers)


def stacked_weights(weights: Weights, labels: Floats, rows: Mask, outcome: str, horizons: Sequence[int]) -> Floats:
    """The weights of the rows of ``stacked_rows``, in its order."""
    return np.concatenate(
        [weights[f"{outcome}_{h}"][rows & ~np.isnan(labels[:, column])] for column, h in enumerate(horizons)]
    )


def check_events(answers: Floats, outcome: str) -> None:
    """Raises NotEnoughData where the labels of the rows to learn from hold too few events."""
    events = int(answers.sum())
    if events < FEWEST_EVENTS or events == len(answers):
        raise NotEnoughData(
            f"{outcome} has {events} events in {len(answers)} training rows (each person counts once per landmark and "
            f"horizon); at least {FEWEST_EVENTS}, and some without, are needed: bring more people or years, or leave "
            f"{outcome} out of outcomes.horizons in mlflow.yaml."
        )
