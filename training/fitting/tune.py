"""Searches the training parameters with Optuna on the training slice alone, and takes what it finds only where that
helps on rows that did not choose it.

A trial trains on two thirds of the training slice's people and is judged by the log loss on the other third, three
times (people are never on both sides). The settings of ``mlflow.yaml`` are trial 0. A search ends after its trials, or
when ``patience`` trials in a row found nothing better. The best of many trials owes a part of its lead to chance, so it
is then compared with the settings on two other divisions:

- *other thirds* of the people, drawn anew: its gain must be above twice its standard error, counted by people;
- *later time*: trained on two thirds of the people before a day, less the embargo, and judged by the other third after
  it. It must not be worse there.

If it fails either, the settings stay. Nothing reads the calibration slice or the test slice, which judge the outcome of
the whole. Each outcome is searched separately. The same seed and number of trials give the same result; if the time
runs out first, the result says so, because it then depends on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd

from models.risk_model import Matrix
from training.errors import NotEnoughData
from training.fitting.boosters import described
from training.fitting.stacked import (
    FEWEST_EVENTS,
    Floats,
    Mask,
    StackedRows,
    Weights,
    stacked_rows,
    stacked_weights,
)
from training.settings import OutcomeTraining, TrainingSettings, TreeParameters, TuningSettings
from training.statistics.resampling import codes

FOLDS = 3
LATER_SHARE = 1 / 3
"""The last share of the training slice's days, on which the best trial is judged by later time."""


@dataclass(frozen=True)
class Trial:
    """One set of parameters of one outcome, and its mean log loss on people it did not train on."""

    outcome: str
    number: int
    parameters: Mapping[str, float]
    log_loss: float


@dataclass(frozen=True)
class Confirmation:
    """The best trial of one outcome beside the settings, on rows that did not choose it. Gains are of mean log loss, so
    above 0 is better; ``error`` is the standard error of ``gain`` by people. A gain is None where its rows hold too few
    events."""

    outcome: str
    trial: int
    gain: float | None
    error: float
    later: float | None

    @property
    def taken(self) -> bool:
        helps = self.gain is not None and self.gain > 2 * self.error
        return self.trial > 0 and helps and (self.later is None or self.later >= 0)

    def line(self) -> str:
        """What was found, for a terminal."""
        if not self.trial:
            return f"{self.outcome}: no trial was better than mlflow.yaml's own parameters, which stay"
        if self.gain is None:
            return f"{self.outcome}: too few events to confirm trial {self.trial}: mlflow.yaml keeps its parameters"
        later = "too few events to judge by later time" if self.later is None else f"{self.later:+.5f} on later time"
        return (
            f"{self.outcome}: trial {self.trial} changes the log loss for the better by {self.gain:+.5f} (standard "
            f"error {self.error:.5f}) on other thirds of the people, {later}: "
            f"{'taken' if self.taken else 'mlflow.yaml keeps its parameters'}"
        )


@dataclass(frozen=True)
class Tuned:
    """``settings`` hold each outcome's parameters: those of its best trial where that was confirmed, else the stated
    ones. ``cut`` names the outcomes whose time ran out before their trials, ``settled`` those whose search ended
    because nothing better came."""

    settings: TrainingSettings
    trials: tuple[Trial, ...]
    cut: tuple[str, ...]
    settled: tuple[str, ...] = ()
    confirmed: Mapping[str, Confirmation] = field(default_factory=dict)

    def best(self, outcome: str) -> Trial:
        return min((trial for trial in self.trials if trial.outcome == outcome), key=lambda trial: trial.log_loss)


def tune(
    matrix: Matrix,
    spine: pd.DataFrame,
    labels: pd.DataFrame,
    train: Mask,
    horizons: Mapping[str, Sequence[int]],
    settings: TrainingSettings,
    budget: TuningSettings,
    features: Sequence[Any] | None = None,
    progress: Callable[[Trial], None] = lambda _: None,
    weights: Weights | None = None,
) -> Tuned:
    """Searches each outcome with at most ``budget.trials`` trials besides the stated settings, within
    ``budget.seconds``. ``spine`` has patient_id and as_of, row by row with ``matrix``; ``weights`` are those of the
    fit. Never reads rows outside ``train``. Raises NotEnoughData for too few events.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = described(matrix, features)
    person = codes(spine["patient_id"])
    day = pd.to_datetime(spine["as_of"]).to_numpy(dtype="datetime64[D]").astype(np.int64)
    found: list[Trial] = []
    best: dict[str, OutcomeTraining] = {}
    confirmed: dict[str, Confirmation] = {}
    cut: list[str] = []
    settled: list[str] = []
    for outcome, days in horizons.items():
        wanted = labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        rows = _Rows(outcome, tuple(days), matrix.values, wanted, train, person, day, known, weights)
        stated = settings.of(outcome)
        tried = []
        for trial in _search(rows, stated, budget, budget.seconds / len(horizons)):
            tried.append(trial)
            progress(trial)
        winner = min(tried, key=lambda trial: trial.log_loss)
        waited = budget.patience and len(tried) - 1 - winner.number >= budget.patience
        if len(tried) <= budget.trials:
            (settled if waited else cut).append(outcome)
        confirmed[outcome] = _confirm(rows, stated, winner)
        chosen = winner.parameters if confirmed[outcome].taken else tried[0].parameters
        best[outcome] = OutcomeTraining(**chosen)  # type: ignore[arg-type]
        found += tried
    tuned = settings.model_copy(update={"by_outcome": best})
    return Tuned(tuned, tuple(found), tuple(cut), tuple(settled), confirmed)


def _search(rows: _Rows, stated: TrainingSettings, budget: TuningSettings, seconds: float) -> Iterator[Trial]:
    """Trial 0, the stated settings, and then what Optuna draws."""
    folds = rows.thirds(stated.seed)
    if not folds:
        raise NotEnoughData(
            f"{rows.outcome} has {int(np.nansum(rows.labels[rows.train]))} events in the training slice: too few in "
            f"some two thirds of its people to search parameters on."
        )
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=stated.seed))
    until = time.monotonic() + seconds
    best, at = np.inf, 0
    for number in range(budget.trials + 1):
        if number > 1 and (time.monotonic() > until or (budget.patience and number - 1 - at >= budget.patience)):
            return
        drawn = study.ask() if number else None
        chosen = _stated(stated) if drawn is None else _draw(drawn)
        own = stated.model_copy(update=dict(chosen))
        loss = float(np.mean([fold.mean(fold.losses(own)) for fold in folds]))
        if drawn is not None:
            study.tell(drawn, loss)
        if loss < best:
            best, at = loss, number
        yield Trial(rows.outcome, number, chosen, loss)


def _confirm(rows: _Rows, stated: TrainingSettings, winner: Trial) -> Confirmation:
    """The winner beside the stated settings on other thirds of the people, and on later time."""
    if not winner.number:
        return Confirmation(rows.outcome, 0, 0.0, 0.0, None)
    theirs = stated.model_copy(update=dict(winner.parameters))
    others, later = rows.thirds(stated.seed + 1), rows.later_thirds(stated.seed + 1)
    if not others:
        return Confirmation(rows.outcome, winner.number, None, 0.0, None)
    gain, error = _gain(others, stated, theirs)
    return Confirmation(rows.outcome, winner.number, gain, error, _gain(later, stated, theirs)[0] if later else None)


def _gain(folds: Sequence[_Fold], stated: TrainingSettings, theirs: TrainingSettings) -> tuple[float, float]:
    """How much lower the mean log loss of ``theirs`` is, and its standard error: rows of one person are one draw."""
    less = np.concatenate([fold.counted * (fold.losses(stated) - fold.losses(theirs)) for fold in folds])
    total = float(sum(fold.counted.sum() for fold in folds))
    by_person = np.bincount(codes(np.concatenate([fold.owner for fold in folds])), less)
    spread = by_person.std(ddof=1) if len(by_person) > 1 else np.inf
    return float(less.sum() / total), float(spread * np.sqrt(len(by_person)) / total)


@dataclass(frozen=True)
class _Rows:
    """One outcome's rows, and who and when they are. Only those of ``train`` are read."""

    outcome: str
    horizons: tuple[int, ...]
    values: npt.NDArray[np.floating]
    labels: Floats
    train: Mask
    person: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    features: Sequence[Any]
    weights: Weights | None

    def thirds(self, seed: int) -> list[_Fold]:
        """Each third of the people judged by training on the others. Empty where some fold has too few events."""
        return self._folds(self.train, self.train, seed)

    def later_thirds(self, seed: int) -> list[_Fold]:
        """The same from a day on: training reads only rows whose labels end before that day."""
        days = np.unique(self.day[self.train])
        begins = days[int(len(days) * (1 - LATER_SHARE))]
        early = self.train & (self.day + max(self.horizons) <= begins)
        return self._folds(early, self.train & (self.day >= begins), seed)

    def _folds(self, learnt: Mask, judged: Mask, seed: int) -> list[_Fold]:
        aside = self._third_of(seed)
        folds = [self._fold(learnt & (aside != third), judged & (aside == third)) for third in range(FOLDS)]
        whole = [fold for fold in folds if fold is not None]
        return whole if len(whole) == FOLDS else []

    def _third_of(self, seed: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng(seed).integers(0, FOLDS, int(self.person.max()) + 1)[self.person]

    def _fold(self, learnt: Mask, judged: Mask) -> _Fold | None:
        """None where there are too few events to learn from or to judge by."""
        rows, answers = stacked_rows(self.values, self.labels, judged, self.horizons)
        if np.nansum(self.labels[learnt]) < FEWEST_EVENTS or answers.sum() < 1:
            return None
        owner = np.concatenate(
            [self.person[judged & ~np.isnan(self.labels[:, column])] for column in range(len(self.horizons))]
        )
        counted = (
            np.ones(len(answers))
            if self.weights is None
            else stacked_weights(self.weights, self.labels, judged, self.outcome, self.horizons)
        )
        return _Fold(self, learnt, rows, answers, counted, owner)


@dataclass(frozen=True)
class _Fold:
    """Rows to train on, and rows of other people to judge by, stacked over horizons."""

    of: _Rows
    learnt: Mask
    judged: npt.NDArray[np.float32]
    answers: Floats
    counted: Floats
    owner: npt.NDArray[np.int64]

    def losses(self, settings: TrainingSettings) -> Floats:
        """The log loss of each judged row."""
        whole = self.of
        rows = StackedRows.of(
            whole.values,
            whole.labels,
            self.learnt,
            whole.horizons,
            whole.outcome,
            whole.features,
            settings,
            whole.weights,
        )
        p = np.clip(np.asarray(rows.grow().predict(self.judged, num_threads=1)), 1e-12, 1 - 1e-12)
        return -(self.answers * np.log(p) + (1 - self.answers) * np.log1p(-p))

    def mean(self, losses: Floats) -> float:
        return float(np.average(losses, weights=self.counted))


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
