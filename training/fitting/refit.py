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
from training.fitting.boosters import Fitted, raw_margins, row_weights, without_calibration
from training.fitting.stacked import Floats, StackedRows, Weights, check_events
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
    everybody = np.ones(len(values), dtype=bool)
    wanted_of = {
        outcome: labels[[f"{outcome}_{h}" for h in evaluated.horizons[outcome]]].to_numpy(dtype=np.float64)
        for outcome in outcomes
    }
    with ThreadPoolExecutor(settings.threads) as pool:

        def read(outcome: str) -> StackedRows:
            wanted, days, own = wanted_of[outcome], evaluated.horizons[outcome], settings.of(outcome)
            return StackedRows.of(values, wanted, everybody, days, outcome, evaluated.features, own, weights)

        def without(outcome: str, number: int) -> lightgbm.Booster:
            others = np.flatnonzero(fold[rows[outcome].place] != number)
            check_events(rows[outcome].answers[others], outcome)
            return rows[outcome].grow_on(others)

        rows = dict(zip(outcomes, pool.map(read, outcomes), strict=True))
        # The fits of all outcomes share the threads: an outcome of three horizons takes three times as long as one of
        # one, and a thread for each outcome would wait for it.
        served = {outcome: pool.submit(rows[outcome].grow) for outcome in outcomes}
        aside = {(outcome, number): pool.submit(without, outcome, number) for outcome in outcomes for number in folds}
        boosters = {outcome: fit.result() for outcome, fit in served.items()}
        left_out = {place: fit.result() for place, fit in aside.items()}
    calibrations = {}
    for outcome, days in ((outcome, evaluated.horizons[outcome]) for outcome in outcomes):
        margin = np.empty((len(values), len(days)))
        for number in folds:
            mine = fold == number
            margin[mine] = raw_margins(left_out[outcome, number], values[mine], days, settings.threads)
        calibrations[outcome] = _calibrated(outcome, margin, wanted_of[outcome], days, weights, settings)
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
