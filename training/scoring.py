"""Scores of rows by the model, the controls and the rules: fitted once, then asked about the test slice, the calibration slice, weekly lists, or any matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from features.engine.matrix import FeatureMatrix
from training import comparators, controls
from training.evaluation.report import Contenders
from training.fit import Fitted
from training.prepare import Prepared
from training.settings import ControlSettings
from training.splits import Mask

Scorer = Callable[[FeatureMatrix], Contenders]


def scorer(ready: Prepared, fitted: Fitted, settings: ControlSettings | None = None) -> Scorer:
    """Fits the controls beside the model, and gives what scores the rows of any matrix with the model, the controls and the rules."""
    settings, train = settings or ControlSettings(), ready.split.train
    logistic = controls.fit_logistic(ready.matrix, ready.labels, train, strength=settings.logistic_strength)
    boosting = controls.fit_boosting(
        ready.matrix, ready.spine["patient_id"].tolist(), ready.labels, train, fitted.horizons, settings, ready.seed
    )
    five = comparators.fit_five_factors(ready.matrix, ready.labels, train)

    def score(matrix: FeatureMatrix) -> Contenders:
        return Contenders(
            fitted.by_pair(matrix.values),
            logistic.probabilities(matrix.values),
            comparators.apply_rules(matrix)
            | comparators.without_looking(matrix.spine["patient_id"].tolist(), ready.seed),
            five.probabilities(comparators.five_factor_values(matrix)) if five is not None else {},
            boosting.probabilities(matrix.values),
        )

    return score


def score_test_rows(ready: Prepared, score: Scorer) -> Contenders:
    """Scores of the test rows; NaN elsewhere, so that nothing in an evaluation can look at a row that trained."""
    return score_rows(ready, score, ready.split.test)


def score_rows(ready: Prepared, score: Scorer, rows: Mask) -> Contenders:
    """Scores of some rows of the spine; NaN elsewhere."""
    at = np.flatnonzero(rows)
    part = FeatureMatrix(rows_of(ready.matrix.values, at), ready.matrix.names, ready.spine.iloc[at])
    return score(part).spread(at, len(ready.spine))


def rows_of(values: npt.NDArray[np.floating], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
    """Some rows of a matrix, side by side in memory."""
    return np.ascontiguousarray(values[rows])
