"""The served model: fitted again on everything, once the evaluation is done.

An evaluation needs later rows that nothing learned from, so the model that it judges stops years before the end of the
extract. The one that serves learns from every row whose label is complete: at each horizon up to that horizon before
the last settled day, and no further embargo.

No slice is left to calibrate it on. So people are divided into folds, each fold is scored by boosters that learned from
the others, and the calibration is fitted on those scores of people whom the booster had not seen. What cannot be had is
a test: there is no later row. The figures of the evaluation are of the same settings on earlier data.
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
from training.fitting.boosters import (
    Fitted,
    Floats,
    Weights,
    binned,
    check_events,
    lightgbm_parameters,
    raw_margins,
    row_weights,
    without_calibration,
)
from training.settings import TrainingSettings


def refit(
    values: npt.NDArray[np.floating],
    labels: pd.DataFrame,
    people: npt.NDArray[np.int64],
    evaluated: Fitted,
    settings: TrainingSettings,
    weights: Weights | None = None,
) -> Fitted:
    """The model of ``evaluated`` fitted on every labelled row. ``people`` is the person of each row, as a number;
    ``weights`` as for ``fit``.

    Raises NotEnoughData where the folds hold too few events to calibrate on.
    """
    fold = np.random.default_rng(settings.seed).integers(0, settings.refit_folds, int(people.max()) + 1)[people]
    outcomes, folds = list(evaluated.boosters), range(settings.refit_folds)
    with ThreadPoolExecutor(settings.threads) as pool:

        def read(outcome: str) -> _Rows:
            return _Rows.of(values, labels, outcome, evaluated, fold, settings.of(outcome), weights)

        rows = dict(zip(outcomes, pool.map(read, outcomes), strict=True))
        # The fits of all outcomes share the threads: an outcome of three horizons takes three times as long as one of
        # one, and a thread for each outcome would wait for it.
        served = {outcome: pool.submit(rows[outcome].everybody) for outcome in outcomes}
        aside = {
            (outcome, number): pool.submit(rows[outcome].without, number) for outcome in outcomes for number in folds
        }
        boosters = {outcome: fit.result() for outcome, fit in served.items()}
        left_out = {place: fit.result() for place, fit in aside.items()}
    calibrations = {}
    for outcome, days in ((outcome, evaluated.horizons[outcome]) for outcome in outcomes):
        margin = np.empty((len(values), len(days)))
        for number in folds:
            mine = fold == number
            margin[mine] = raw_margins(left_out[outcome, number], values[mine], days, settings.threads)
        calibrations[outcome] = _calibrated(outcome, margin, rows[outcome].wanted, days, weights, settings)
    return Fitted(boosters, calibrations, evaluated.horizons, evaluated.features, evaluated.threads)


@dataclass(frozen=True)
class _Rows:
    """The rows of one outcome, cut into bins once for every fit."""

    outcome: str
    wanted: Floats
    binned: lightgbm.Dataset
    answers: Floats
    fold: npt.NDArray[np.int64]
    """The fold of each binned row."""
    parameters: dict[str, Any]
    trees: int

    @classmethod
    def of(
        cls,
        values: npt.NDArray[np.floating],
        labels: pd.DataFrame,
        outcome: str,
        evaluated: Fitted,
        fold: npt.NDArray[np.int64],
        settings: TrainingSettings,
        weights: Weights | None,
    ) -> _Rows:
        days = evaluated.horizons[outcome]
        wanted = labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        everybody, features = np.ones(len(values), dtype=bool), evaluated.features
        rows = binned(values, wanted, everybody, days, outcome, features, settings, weights).construct()
        known = ~np.isnan(wanted)
        answers = np.concatenate([wanted[known[:, column], column] for column in range(len(days))])
        place = np.concatenate([fold[known[:, column]] for column in range(len(days))])
        return cls(outcome, wanted, rows, answers, place, lightgbm_parameters(settings, features), settings.trees)

    def everybody(self) -> lightgbm.Booster:
        return lightgbm.train(self.parameters, self.binned, num_boost_round=self.trees)

    def without(self, number: int) -> lightgbm.Booster:
        """Fitted on the people of the other folds."""
        others = np.flatnonzero(self.fold != number)
        check_events(self.answers[others], self.outcome)
        return lightgbm.train(self.parameters, self.binned.subset(others.tolist()), num_boost_round=self.trees)


def trained_until(labels: pd.DataFrame, spine: pd.DataFrame, horizons: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """The last ``as_of`` with a label, by outcome and horizon (``admission_28``)."""
    last = {}
    for outcome, days in horizons.items():
        for horizon in days:
            known = labels[f"{outcome}_{horizon}"].notna().to_numpy()
            last[f"{outcome}_{horizon}"] = str(spine["as_of"][known].max())[:10]
    return last


def _calibrated(
    outcome: str,
    margin: Floats,
    wanted: Floats,
    days: tuple[int, ...],
    weights: Weights | None,
    settings: TrainingSettings,
) -> Calibration:
    known = np.flatnonzero(~np.isnan(wanted).all(axis=1))
    try:
        horizon = np.broadcast_to(np.asarray(days), margin[known].shape)
        return fit_calibration(margin[known], wanted[known], horizon, row_weights(weights, outcome, days, known))
    except CalibrationError as error:
        return without_calibration(error, f"{outcome}, fitted again on everything,", days, settings)
