"""Two permanent controls of every run: a logistic regression and an explainable boosting machine, both on all features.
The third, of survival, is in :mod:`training.fitting.controls.survival`.

A black box must be better than a model that people can read; without evidence, assume it is not (docs/methods.md
section 4). The controls see the same training and test rows as the model, and are never served. A control with too
few events is left out, and the evaluation says so (``not_judged``): a missing control does not stop the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from models.risk_model import Matrix, stack_horizons
from training.fitting.controls.standardised import Floats, Standardised
from training.fitting.inputs import HORIZON_COLUMN
from training.fitting.stacked import stacked_rows
from training.settings import ControlSettings

MAX_STEPS = 200


@dataclass(frozen=True)
class Logistic:
    """Ridge logistic regressions, one per outcome and horizon, on standardised features."""

    features: Standardised
    models: Mapping[str, LogisticRegression]

    def probabilities(self, values: npt.NDArray[np.floating]) -> dict[str, Floats]:
        """Probabilities by outcome and horizon (``admission_28``), one per row, without those whose labels are all
        the same.
        """
        prepared = self.features.columns(values)
        return {name: model.predict_proba(prepared)[:, 1] for name, model in self.models.items()}


def fit_logistic(
    matrix: Matrix, labels: pd.DataFrame, train: npt.NDArray[np.bool_], *, strength: float = 0.001
) -> Logistic:
    """Fits the control on the ``train`` rows with a label. ``strength`` is scikit-learn's C: small, because rows of a
    person are near-copies.

    0.001 was chosen on calibration slices: 0.02 loses 0.02 to 0.04 AUROC there, and a control must be a fair one.
    """
    features = Standardised.of(matrix.values[train])
    prepared = features.columns(matrix.values[train])
    models = {}
    for name in labels.columns:
        answers = labels[name].to_numpy()[train]
        known = ~np.isnan(answers)
        if not 0 < answers[known].sum() < known.sum():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            models[str(name)] = LogisticRegression(C=strength, tol=1e-3, max_iter=MAX_STEPS).fit(
                prepared[known], answers[known]
            )
    return Logistic(features, models)


@dataclass(frozen=True)
class Boosting:
    """Explainable boosting machines, one per outcome over rows stacked by horizon, without interactions: a sum of one
    curve per feature."""

    machines: Mapping[str, Any]
    horizons: Mapping[str, tuple[int, ...]]

    def probabilities(self, values: npt.NDArray[np.floating]) -> dict[str, Floats]:
        """Probabilities by outcome and horizon (``admission_28``), one per row, without outcomes with too few events
        to fit a machine.
        """
        found: dict[str, Floats] = {}
        for outcome, machine in self.machines.items():
            days = self.horizons[outcome]
            if not len(values):
                found |= {f"{outcome}_{horizon}": np.zeros(0) for horizon in days}
                continue
            margin = np.asarray(machine.decision_function(stack_horizons(values, days[:1])), dtype=np.float64)
            # The machine is a sum of one curve per column, so the horizon moves every row by the same amount.
            moves = np.asarray(machine.decision_function(stack_horizons(values[:1], days)), dtype=np.float64)
            for horizon, move in zip(days, moves - moves[0], strict=True):
                found[f"{outcome}_{horizon}"] = 1 / (1 + np.exp(-(margin + move)))
        return found


def fit_boosting(
    matrix: Matrix,
    people: Sequence[object],
    labels: pd.DataFrame,
    train: npt.NDArray[np.bool_],
    horizons: Mapping[str, Sequence[int]],
    settings: ControlSettings,
    seed: int = 0,
) -> Boosting:
    """Fits on at most ``settings.boosting_rows`` random stacked rows per outcome, because all rows of a large trust
    would take longer than the model.

    An outcome without events among the training people, or among those held out for early stopping, has no machine.
    Rounds stop when they no longer help the held-out people, one in five, with all their rows: rows of one person on
    both sides would hide overfitting.
    """
    who, _ = pd.factorize(pd.Series(list(people)))
    aside = np.random.default_rng(seed).random(int(who.max()) + 1) < 1 / 5
    served = {outcome: tuple(int(h) for h in days) for outcome, days in horizons.items()}

    def machine(outcome: str) -> Any:
        from interpret.glassbox import (
            ExplainableBoostingClassifier,
        )  # imported only where one is fitted, because it takes five seconds

        wanted = labels[[f"{outcome}_{h}" for h in served[outcome]]].to_numpy(dtype=np.float64)
        chosen = _some(train, wanted, settings.boosting_rows, seed)
        stacked, answers = stacked_rows(matrix.values, chosen, train, served[outcome])
        owner = np.concatenate([who[train & ~np.isnan(chosen[:, n])] for n in range(chosen.shape[1])])
        bags = np.where(aside[owner], -1, 1).astype(np.int8)
        if len(np.unique(answers[bags > 0])) < 2 or len(np.unique(answers[bags < 0])) < 2:
            return None
        names = [*matrix.names, HORIZON_COLUMN]
        return ExplainableBoostingClassifier(
            interactions=0,
            feature_names=names,
            feature_types=["continuous"] * len(names),
            max_bins=16,
            outer_bags=1,
            max_rounds=settings.boosting_rounds,
            learning_rate=0.04,
            greedy_ratio=0.0,
            early_stopping_rounds=20,
            min_samples_leaf=max(2, min(100, len(answers) // 40)),
            reg_lambda=20.0,
            monotone_constraints=[0] * len(matrix.names) + [1],
            n_jobs=1,
            random_state=seed,
        ).fit(stacked, answers, bags=bags[:, None])

    # Outside the threads, because warning filters belong to the process, and one thread would restore what another
    # still needs. The warnings are about features that are never recorded, among others, which is no fault of a
    # control.
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("ignore")
        made = dict(zip(served, pool.map(machine, served), strict=True))
    return Boosting({outcome: one for outcome, one in made.items() if one is not None}, served)


def _some(train: npt.NDArray[np.bool_], wanted: Floats, most: int, seed: int) -> Floats:
    """``wanted`` without all but ``most`` of the training labels, chosen at random."""
    at = np.argwhere(train[:, None] & ~np.isnan(wanted))
    if len(at) <= most:
        return wanted
    kept = at[np.random.default_rng(seed).choice(len(at), most, replace=False)]
    out = np.full_like(wanted, np.nan)
    out[kept[:, 0], kept[:, 1]] = wanted[kept[:, 0], kept[:, 1]]
    return out
