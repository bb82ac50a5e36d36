"""One LightGBM booster per outcome on rows stacked over horizons (training/fitting/stacked.py), then calibration on a
slice of its own (docs/scores.md).

The horizon is the last column under a +1 monotone constraint, and features whose direction is medically certain are
constrained too. No resampling, no class weights: both destroy the probability (docs/methods.md section 4). The
same matrix, labels and settings give the same trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from models.calibration import Calibration, fit_calibration
from models.errors import CalibrationError
from models.risk_model import Matrix, describe_mismatch, stack_horizons
from training.errors import NotEnoughData, ShapeError
from training.fitting.explanations import explanation
from training.fitting.inputs import (
    as_matrix,
    check_calibration_events,
    check_labels,
    check_masks,
    check_names,
    check_values,
)
from training.fitting.stacked import Floats, Mask, StackedRows, Weights
from training.settings import TrainingSettings

if TYPE_CHECKING:
    import shap


@dataclass(frozen=True)
class Fitted:
    """Boosters and calibrations by outcome, over ``features`` (objects with name, direction and the rest of a Feature)
    in column order. ``trees_of`` is the bundle whose trees these are; empty if they were grown here."""

    boosters: Mapping[str, lightgbm.Booster]
    calibration: Mapping[str, Calibration]
    horizons: Mapping[str, tuple[int, ...]]
    features: tuple[Any, ...]
    threads: int = 2
    trees_of: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def margins(self, values: npt.NDArray[np.floating], outcome: str) -> Floats:
        """Raw margins, shape (rows, horizons)."""
        return raw_margins(self.boosters[outcome], values, self.horizons[outcome], self.threads)

    def probabilities(self, data: Matrix | pd.DataFrame | npt.NDArray[np.floating]) -> dict[str, Floats]:
        """Calibrated probabilities by outcome, each of shape (rows, horizons). A frame or matrix must have the columns
        of the model, in its order.
        """
        values = self._values(data)
        return {
            outcome: self.calibration[outcome].probability(self.margins(values, outcome)) for outcome in self.boosters
        }

    def explain(self, data: Matrix | pd.DataFrame, outcome: str, horizon: int) -> shap.Explanation:
        """Exact contributions of every row to the calibrated logit of one outcome at one horizon, for shap's plots.
        Raises ShapeError for another outcome, horizon or list of columns.
        """
        if horizon not in self.horizons.get(outcome, ()):
            known = ", ".join(f"{name} at {', '.join(map(str, days))} days" for name, days in self.horizons.items())
            raise ShapeError(f"{outcome} at {horizon} days is not in this model; it has {known}.")
        values = self._values(data)
        return explanation(self.boosters[outcome], self.calibration[outcome], values, self.names, horizon, self.threads)

    def _values(self, data: Matrix | pd.DataFrame | npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """The values of a matrix or frame whose columns are those of the model, in its order; an array as it is."""
        if isinstance(data, np.ndarray):
            return data
        matrix = as_matrix(data)
        if tuple(matrix.names) != self.names:
            raise ShapeError(describe_mismatch(matrix.names, self.names))
        return matrix.values

    def by_pair(self, values: Matrix | pd.DataFrame | npt.NDArray[np.floating]) -> dict[str, Floats]:
        """Calibrated probabilities by outcome and horizon (``admission_28``), one per row."""
        found = self.probabilities(values)
        return {f"{o}_{h}": found[o][:, column] for o, days in self.horizons.items() for column, h in enumerate(days)}


def fit(
    data: Matrix | pd.DataFrame,
    labels: pd.DataFrame,
    train: npt.NDArray[np.bool_],
    calibration: npt.NDArray[np.bool_],
    horizons: Mapping[str, Sequence[int]],
    settings: TrainingSettings | None = None,
    features: Sequence[Any] | None = None,
    weights: Weights | None = None,
) -> Fitted:
    """Fit on the ``train`` rows and calibrate on the ``calibration`` rows of anyone's matrix and labels.

    ``labels`` has one float column per outcome and horizon (``admission_28``): 1, 0 or NaN, rows as in the matrix.
    ``features`` describes the columns; by default they are looked up in the catalogue.
    ``weights`` by outcome and horizon say how much each row counts for the trees and the calibration. Raises
    ShapeError for data that a model cannot be fitted on (:mod:`training.fitting.inputs`) and NotEnoughData if events
    are too few.
    """
    settings = settings or TrainingSettings()
    matrix = as_matrix(data)
    check_names(matrix.names, matrix.values.shape[1])
    known = described(matrix, features)
    served = {outcome: tuple(int(h) for h in days) for outcome, days in horizons.items()}
    _check(matrix, labels, served, known)
    check_values(matrix.values, matrix.names)
    check_labels(labels, served)
    train, calibration = check_masks(train, calibration, len(matrix.values))
    wanted_of = {
        outcome: labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64) for outcome, days in served.items()
    }

    def grown(outcome: str) -> lightgbm.Booster:
        days, own = served[outcome], settings.of(outcome)
        return StackedRows.of(matrix.values, wanted_of[outcome], train, days, outcome, known, own, weights).grow()

    # Outcomes run in parallel, one thread each: LightGBM's own threads wait for each other after every leaf, which
    # takes minutes on a busy machine.
    with ThreadPoolExecutor(settings.threads) as pool:
        boosters = dict(zip(served, pool.map(grown, served), strict=True))
    for outcome, booster in boosters.items():
        _check_splits(booster, outcome, int(train.sum()), settings.of(outcome))
    calibrations = calibrate(boosters, matrix.values, labels, calibration, served, settings, weights)
    return Fitted(boosters, calibrations, served, known, settings.threads)


def calibrate(
    boosters: Mapping[str, lightgbm.Booster],
    values: npt.NDArray[np.floating],
    labels: pd.DataFrame,
    calibration: Mask,
    horizons: Mapping[str, tuple[int, ...]],
    settings: TrainingSettings,
    weights: Weights | None = None,
) -> dict[str, Calibration]:
    """Slope and offsets of each outcome, fitted on the ``calibration`` rows; ``weights`` as for ``fit``. Raises
    NotEnoughData for few events.
    """
    calibrations = {}
    for outcome, days in horizons.items():
        wanted = labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        rows = np.flatnonzero(calibration & ~np.isnan(wanted).all(axis=1))
        check_calibration_events(outcome, wanted[rows], settings.fewest_calibration_events)
        margin = raw_margins(boosters[outcome], values[rows], days, settings.threads)
        try:
            calibrations[outcome] = fit_calibration(
                margin,
                wanted[rows],
                np.broadcast_to(np.asarray(days), margin.shape),
                row_weights(weights, outcome, days, rows),
            )
        except CalibrationError as error:
            calibrations[outcome] = without_calibration(error, outcome, days, settings)
        if calibrations[outcome].horizons != days:
            raise NotEnoughData(
                f"{outcome}: the calibration slice has labels at {calibrations[outcome].horizons} days, not at all of "
                f"{days}."
            )
    return calibrations


def without_calibration(
    error: CalibrationError, outcome: str, horizons: tuple[int, ...], settings: TrainingSettings
) -> Calibration:
    """For a demo of few people, whose slope is chance, the margins as they are. Raises NotEnoughData for anybody
    else."""
    if settings.fewest_calibration_events == 1:
        return Calibration(horizons, 1.0, (0.0,) * len(horizons))
    raise NotEnoughData(f"{outcome} cannot be calibrated: {error}") from error


def row_weights(
    weights: Weights | None, outcome: str, horizons: Sequence[int], rows: npt.NDArray[Any]
) -> Floats | None:
    """Weights of ``rows`` (positions or mask) at each horizon, shape (rows, horizons); None where all count alike."""
    return None if weights is None else np.column_stack([weights[f"{outcome}_{h}"][rows] for h in horizons])


def _check_splits(booster: lightgbm.Booster, outcome: str, rows: int, settings: TrainingSettings) -> None:
    """Raises NotEnoughData if no tree splits on a feature, so that everybody would get the same risk."""
    if not booster.feature_importance()[:-1].any():
        raise NotEnoughData(
            f"{outcome}: no tree splits on a feature, so everybody would get the same risk. A leaf needs "
            f"{settings.min_rows_in_leaf} rows (training.min_rows_in_leaf) and the training slice has {rows}: lower it "
            f"or bring more people. If leaves are small, the features say nothing about {outcome}."
        )


def described(matrix: Matrix, features: Sequence[Any] | None = None) -> tuple[Any, ...]:
    """The descriptions of the columns of ``matrix``: ``features`` if given, else from the catalogue."""
    return tuple(features) if features is not None else _from_catalogue(matrix.names)


def raw_margins(
    booster: lightgbm.Booster, values: npt.NDArray[np.floating], horizons: Sequence[int], threads: int
) -> Floats:
    """Margins of every row at every horizon, shape (rows, horizons)."""
    stacked = stack_horizons(values, horizons)
    margin = booster.predict(stacked, raw_score=True, num_threads=threads)
    return np.asarray(margin, dtype=np.float64).reshape(len(values), len(horizons))


def _check(
    matrix: Matrix, labels: pd.DataFrame, horizons: Mapping[str, tuple[int, ...]], features: tuple[Any, ...]
) -> None:
    if len(labels) != len(matrix.values):
        raise ShapeError(
            f"{len(labels)} rows of labels and {len(matrix.values)} rows of features: give both for the same spine, "
            f"in the same order."
        )
    wanted = [f"{outcome}_{h}" for outcome, days in horizons.items() for h in days]
    if missing := [name for name in wanted if name not in labels.columns]:
        raise ShapeError(f"The labels lack {', '.join(missing)}; they have {', '.join(map(str, labels.columns))}.")
    if tuple(feature.name for feature in features) != tuple(matrix.names):
        raise ShapeError(
            "The described features are not the columns of the matrix, in its order: pass `features` that match "
            "`matrix.names`."
        )


def _from_catalogue(names: Sequence[str]) -> tuple[Any, ...]:
    from features import CATALOGUE

    known = {feature.name: feature for feature in CATALOGUE}
    if missing := [name for name in names if name not in known]:
        raise ShapeError(
            f"{', '.join(missing[:5])} are not in the catalogue: pass `features` that describe the columns of the "
            f"matrix."
        )
    return tuple(known[name] for name in names)
