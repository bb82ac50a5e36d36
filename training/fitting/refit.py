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

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from models.calibration import Calibration, fit_calibration
from models.errors import CalibrationError
from training.errors import NotEnoughData
from training.fitting.boosters import Fitted, Floats, Weights, grow, raw_margins, row_weights
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
    everybody = np.ones(len(values), dtype=bool)
    fold = np.random.default_rng(settings.seed).integers(0, settings.refit_folds, int(people.max()) + 1)[people]

    def one(outcome: str) -> tuple[lightgbm.Booster, Calibration]:
        days = evaluated.horizons[outcome]
        wanted = labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        own = settings.of(outcome)
        margin = np.full(wanted.shape, np.nan)
        for number in range(settings.refit_folds):
            aside = fold == number
            booster = grow(values, wanted, ~aside, days, outcome, evaluated.features, own, weights)
            margin[aside] = raw_margins(booster, values[aside], days, 1)
        booster = grow(values, wanted, everybody, days, outcome, evaluated.features, own, weights)
        return booster, _calibrated(outcome, margin, wanted, days, weights)

    with ThreadPoolExecutor(settings.threads) as pool:
        made = dict(zip(evaluated.boosters, pool.map(one, evaluated.boosters), strict=True))
    boosters = {outcome: booster for outcome, (booster, _) in made.items()}
    calibrations = {outcome: calibration for outcome, (_, calibration) in made.items()}
    return Fitted(boosters, calibrations, evaluated.horizons, evaluated.features, evaluated.threads)


def trained_until(labels: pd.DataFrame, spine: pd.DataFrame, horizons: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """The last ``as_of`` with a label, by outcome and horizon (``admission_28``)."""
    last = {}
    for outcome, days in horizons.items():
        for horizon in days:
            known = labels[f"{outcome}_{horizon}"].notna().to_numpy()
            last[f"{outcome}_{horizon}"] = str(spine["as_of"][known].max())[:10]
    return last


def _calibrated(
    outcome: str, margin: Floats, wanted: Floats, days: tuple[int, ...], weights: Weights | None
) -> Calibration:
    known = np.flatnonzero(~np.isnan(wanted).all(axis=1))
    try:
        horizon = np.broadcast_to(np.asarray(days), margin[known].shape)
        return fit_calibration(margin[known], wanted[known], horizon, row_weights(weights, outcome, days, known))
    except CalibrationError as error:
        raise NotEnoughData(f"{outcome}, fitted again on everything, cannot be calibrated: {error}") from error
