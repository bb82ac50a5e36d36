"""Scores of the model, the controls and the rules: fitted once, then applied to the test slice, the calibration
slice, weekly lists, or any matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from features.engine.matrix import FeatureMatrix
from training.dataset.prepare import Prepared
from training.dataset.splits import Mask
from training.fitting import simple_rules
from training.fitting.boosters import Fitted
from training.fitting.controls import benchmarks
from training.fitting.controls.survival import fit_survival
from training.fitting.simple_rules import RULES
from training.settings import ControlSettings
from training.statistics.resampling import Floats

LABELS = {
    "model": "Model (LightGBM, calibrated)",
    "logistic": "Logistic regression, all features",
    "boosting": "Explainable boosting machine, all features",
    "survival": "Proportional hazards (survival), all features",
    "oracle": "Oracle (true risk, simulated data only)",
    "random": "By lot",
    "alphabetical": "By the alphabet (ids: the records hold no names)",
    "five_factors": "Logistic regression on five factors",
    **{rule.name: rule.label for rule in RULES},
}
CONTROLS = ("logistic", "boosting", "survival")
TOO_FEW = "not judged: too few events to fit it on"


@dataclass(frozen=True)
class Contenders:
    """Scores of every row of a spine, or of any matrix. ``model`` and the controls are probabilities by outcome
    and horizon (``admission_28``), ``rules`` by rule name."""

    model: Mapping[str, Floats]
    logistic: Mapping[str, Floats]
    rules: Mapping[str, Floats]
    five_factors: Mapping[str, Floats] = field(default_factory=dict)
    boosting: Mapping[str, Floats] = field(default_factory=dict)
    survival: Mapping[str, Floats] = field(default_factory=dict)

    def spread(self, at: npt.NDArray[np.int64], rows: int) -> Contenders:
        """The same scores placed at the positions ``at`` of ``rows`` rows; NaN elsewhere."""

        def wide(scores: Mapping[str, Floats]) -> dict[str, Floats]:
            out = {name: np.full(rows, np.nan) for name in scores}
            for name, score in scores.items():
                out[name][at] = score
            return out

        return Contenders(*(wide(getattr(self, field.name)) for field in fields(self)))

    def probabilities(self, name: str) -> dict[str, Floats]:
        """Every probability for one outcome and horizon, the model first. These are judged as probabilities, not only
        as rankings.
        """
        controls = {who: getattr(self, who) for who in CONTROLS}
        return {"model": self.model[name]} | {who: risk[name] for who, risk in controls.items() if name in risk}

    def not_judged(self, name: str) -> dict[str, dict[str, str]]:
        """The controls that could not be fitted for one outcome and horizon: label and reason."""
        return {who: {"label": LABELS[who], "why": TOO_FEW} for who in CONTROLS if name not in getattr(self, who)}

    def simple(self, name: str) -> dict[str, Floats]:
        """Every simple rule's score for one outcome and horizon. The five-factor rule is fitted, so it differs
        between them.
        """
        fitted = {"five_factors": self.five_factors[name]} if name in self.five_factors else {}
        return {**self.rules, **fitted}


Scorer = Callable[[FeatureMatrix], Contenders]


def scorer(ready: Prepared, fitted: Fitted, settings: ControlSettings | None = None) -> Scorer:
    """Fits the controls, and returns a function that scores the rows of any matrix with the model, the controls and
    the rules.
    """
    settings, train = settings or ControlSettings(), ready.split.train
    logistic = benchmarks.fit_logistic(ready.matrix, ready.labels, train, strength=settings.logistic_strength)
    boosting = benchmarks.fit_boosting(
        ready.matrix, ready.spine["patient_id"].tolist(), ready.labels, train, fitted.horizons, settings, ready.seed
    )
    survival = fit_survival(
        ready.matrix, ready.follow_up, train, fitted.horizons, settings, logistic.features, ready.seed
    )
    five = simple_rules.fit_five_factors(ready.matrix, ready.labels, train)

    def score(matrix: FeatureMatrix) -> Contenders:
        return Contenders(
            fitted.by_pair(matrix.values),
            logistic.probabilities(matrix.values),
            simple_rules.apply_rules(matrix)
            | simple_rules.without_looking(matrix.spine["patient_id"].tolist(), ready.seed),
            five.probabilities(simple_rules.five_factor_values(matrix)) if five is not None else {},
            boosting.probabilities(matrix.values),
            survival.probabilities(matrix.values),
        )

    return score


def score_test_rows(ready: Prepared, score: Scorer) -> Contenders:
    """Scores of the test rows; NaN elsewhere, so that an evaluation cannot read a training row."""
    return score_rows(ready, score, ready.split.test)


def score_rows(ready: Prepared, score: Scorer, rows: Mask) -> Contenders:
    """Scores of some rows of the spine; NaN elsewhere."""
    at = np.flatnonzero(rows)
    part = FeatureMatrix(rows_of(ready.matrix.values, at), ready.matrix.names, ready.spine.iloc[at])
    return score(part).spread(at, len(ready.spine))


def rows_of(values: npt.NDArray[np.floating], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
    """Some rows of a matrix, side by side in memory."""
    return np.ascontiguousarray(values[rows])
