"""Searches the training parameters within a budget, from a seed, with Optuna on the training slice alone.

A trial trains on two thirds of the training slice's people and is judged by the log loss on the other third, three
times (people are never on both sides). It reads neither the calibration slice nor the test slice. Each outcome is
searched separately. The settings of ``mlflow.yaml`` are always trial 0, so the result is never worse than they are by
this measure. The same seed and number of trials give the same result. If the time runs out first, the result says so,
because it then depends on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd

from models.risk_model import Matrix
from training.errors import NotEnoughData
from training.fitting.boosters import described
from training.fitting.stacked import FEWEST_EVENTS, Floats, Mask, StackedRows, stacked_rows
from training.settings import OutcomeTraining, TrainingSettings, TreeParameters, TuningSettings
from training.statistics.resampling import codes

FOLDS = 3


@dataclass(frozen=True)
class Trial:
    """One set of parameters of one outcome, and its mean log loss on people it did not train on."""

    outcome: str
    number: int
    parameters: Mapping[str, float]
    log_loss: float


@dataclass(frozen=True)
class Tuned:
    """``settings`` hold the best parameters of each outcome; ``cut`` names the outcomes whose time ran out before
    their trials.
    """

    settings: TrainingSettings
    trials: tuple[Trial, ...]
    cut: tuple[str, ...]

    def best(self, outcome: str) -> Trial:
        return min((trial for trial in self.trials if trial.outcome == outcome), key=lambda trial: trial.log_loss)


def tune(
    matrix: Matrix,
    people: Sequence[object],
    labels: pd.DataFrame,
    train: Mask,
    horizons: Mapping[str, Sequence[int]],
    settings: TrainingSettings,
    budget: TuningSettings,
    features: Sequence[Any] | None = None,
    progress: Callable[[Trial], None] = lambda _: None,
) -> Tuned:
    """Searches each outcome with ``budget.trials`` trials besides the stated settings, within ``budget.seconds``.
    Never reads rows outside ``train``.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = described(matrix, features)
    person = codes(pd.Series(list(people)))
    fold_of = np.random.default_rng(settings.seed).integers(0, FOLDS, int(person.max()) + 1)[person]
    tried: list[Trial] = []
    best: dict[str, OutcomeTraining] = {}
    cut = []
    for outcome, days in horizons.items():
        wanted = labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        folds = [
            _Fold.of(matrix.values, wanted, train, fold_of == n, tuple(days), outcome, known) for n in range(FOLDS)
        ]
        stated = settings.of(outcome)
        study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=settings.seed))
        until = time.monotonic() + budget.seconds / len(horizons)
        for number in range(budget.trials + 1):
            if number > 1 and time.monotonic() > until:
                cut.append(outcome)
                break
            drawn = study.ask() if number else None
            chosen = _stated(stated) if drawn is None else _draw(drawn)
            own = stated.model_copy(update=dict(chosen))
            loss = float(np.mean([fold.loss(own) for fold in folds]))
            if drawn is not None:
                study.tell(drawn, loss)
            tried.append(Trial(outcome, number, chosen, loss))
            progress(tried[-1])
        winner = min((t for t in tried if t.outcome == outcome), key=lambda t: t.log_loss)
        best[outcome] = OutcomeTraining(**winner.parameters)  # type: ignore[arg-type]
    return Tuned(settings.model_copy(update={"by_outcome": best}), tuple(tried), tuple(cut))


@dataclass(frozen=True)
class _Fold:
    """Rows to train on, and rows of other people to judge by, stacked over horizons."""

    train: Callable[[TrainingSettings], StackedRows]
    judged: npt.NDArray[np.float32]
    judged_answers: Floats

    @classmethod
    def of(
        cls,
        values: npt.NDArray[np.floating],
        wanted: Floats,
        train: Mask,
        aside: Mask,
        days: tuple[int, ...],
        outcome: str,
        features: Sequence[Any],
    ) -> _Fold:
        judged, judged_answers = stacked_rows(values, wanted, train & aside, days)
        events = int(np.nansum(wanted[train & ~aside]))
        if events < FEWEST_EVENTS or judged_answers.sum() < 1:
            raise NotEnoughData(
                f"{outcome} has {events} events among two thirds of the people of the training slice: too few to "
                f"search parameters on."
            )
        learnt = partial(StackedRows.of, values, wanted, train & ~aside, days, outcome, features)
        return cls(learnt, judged, judged_answers)

    def loss(self, settings: TrainingSettings) -> float:
        booster = self.train(settings).grow()
        p = np.clip(np.asarray(booster.predict(self.judged, num_threads=1)), 1e-12, 1 - 1e-12)
        return float(-(self.judged_answers * np.log(p) + (1 - self.judged_answers) * np.log1p(-p)).mean())


def _draw(trial: optuna.Trial) -> dict[str, float]:
    depth = trial.suggest_int("max_depth", 1, 5)
    return {
        "trees": trial.suggest_int("trees", 40, 400, step=20),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "max_depth": depth,
        "leaves": min(2**depth, 31),
        "min_rows_in_leaf": trial.suggest_int("min_rows_in_leaf", 20, 2000, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.6),
        "row_fraction": trial.suggest_float("row_fraction", 0.4, 1.0),
        "l2": trial.suggest_float("l2", 1.0, 1000.0, log=True),
    }


def _stated(settings: TrainingSettings) -> dict[str, float]:
    return {name: getattr(settings, name) for name in TreeParameters.model_fields}
