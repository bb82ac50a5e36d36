"""Refuses a matrix, labels or slices that a model cannot be fitted on, and names the fault.

A model fitted on them would fail with an unclear error of LightGBM or, worse, would be fitted and give wrong
probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk_model import Matrix
from training.errors import NotEnoughData, ShapeError

Mask = npt.NDArray[np.bool_]
HORIZON_COLUMN = "horizon_days"
_FORBIDDEN = re.compile(r"[\s,:\[\]{}\"\\]")


@dataclass(frozen=True)
class FrameMatrix:
    """A pandas frame read as a feature matrix: its columns are the names."""

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]


def as_matrix(matrix: Any) -> Matrix:
    """``matrix`` itself, or a frame turned into one. Raises ShapeError for a sparse matrix, a bare array, or columns
    that are no numbers."""
    if isinstance(matrix, pd.DataFrame):
        odd = [str(name) for name in matrix.columns if not pd.api.types.is_numeric_dtype(matrix[name])]
        if odd:
            raise ShapeError(f"The columns {_some(odd)} are not numbers: turn them into numbers, or leave them out.")
        names = tuple(str(name) for name in matrix.columns)
        return FrameMatrix(np.ascontiguousarray(matrix.to_numpy(dtype=np.float32)), names)
    if not hasattr(matrix, "values") or not hasattr(matrix, "names"):
        raise ShapeError(
            f"A matrix of type {type(matrix).__name__} has no names: pass the FeatureMatrix that `build` gives, or a "
            f"pandas DataFrame of numbers."
        )
    if not isinstance(matrix.values, np.ndarray) or matrix.values.ndim != 2:
        raise ShapeError(
            f"The values of the matrix are of type {type(matrix.values).__name__}: pass a dense array of rows and "
            f"features (sparse matrices: `.toarray()`)."
        )
    found: Matrix = matrix
    return found


def check_names(names: Sequence[str], columns: int) -> None:
    """Raises ShapeError for names that are repeated, empty, reserved, or that LightGBM cannot hold."""
    if len(names) != columns:
        raise ShapeError(f"{len(names)} names for {columns} columns of features: give each column one name.")
    texts = [str(name) for name in names]
    if twice := sorted({name for name in texts if texts.count(name) > 1}):
        raise ShapeError(f"The name {_some(twice)} stands for more than one column: give each column its own.")
    if HORIZON_COLUMN in texts:
        raise ShapeError(f"A feature is named {HORIZON_COLUMN}, which the model adds itself: rename the feature.")
    if odd := [name for name in texts if not name or _FORBIDDEN.search(name)]:
        raise ShapeError(
            f"The names {_some([repr(name) for name in odd])} hold a space, one of , : [ ] {{ }} or a quotation mark, "
            f"or nothing: use letters, digits and underscores."
        )


def check_values(values: npt.NDArray[np.floating], names: Sequence[str]) -> None:
    """Raises ShapeError for values that are not numbers or are infinite. NaN is allowed and means missing."""
    if not np.issubdtype(values.dtype, np.floating):
        raise ShapeError(f"The features are of type {values.dtype}: give float32 or float64, NaN where missing.")
    infinite = np.isinf(values).any(axis=0)
    if infinite.any():
        named = [str(name) for name, bad in zip(names, infinite, strict=True) if bad]
        raise ShapeError(f"The column {_some(named)} holds infinity: use NaN where a value is missing, or a limit.")


def check_labels(labels: pd.DataFrame, horizons: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ShapeError for labels other than 1, 0 and missing, or that fall as the horizon grows."""
    for outcome, days in horizons.items():
        columns = [f"{outcome}_{h}" for h in days]
        for name in columns:
            try:
                found = labels[name].to_numpy(dtype=np.float64)
            except (TypeError, ValueError):
                raise ShapeError(f"The labels of {name} are not numbers: use 1 (event), 0 (none) or NaN.") from None
            wrong = ~np.isnan(found) & (found != 0) & (found != 1)
            if wrong.any():
                raise ShapeError(
                    f"{int(wrong.sum())} labels of {name} are neither 1 (event), 0 (none) nor missing; the first is "
                    f"in row {int(np.flatnonzero(wrong)[0])}."
                )
        wanted = labels[columns].to_numpy(dtype=np.float64)
        for column in range(1, len(days)):
            falls = (wanted[:, :column] == 1).any(axis=1) & (wanted[:, column] == 0)
            if falls.any():
                raise ShapeError(
                    f"{int(falls.sum())} rows have an event of {outcome} within fewer days and none within "
                    f"{days[column]} (the first is row {int(np.flatnonzero(falls)[0])}): a label says whether the "
                    f"event came within the whole horizon."
                )


def check_masks(train: Any, calibration: Any, rows: int) -> tuple[Mask, Mask]:
    """The slices as masks. Raises ShapeError for row numbers, another length, an empty slice, or rows in both."""
    found = []
    for name, mask in (("train", train), ("calibration", calibration)):
        array = np.asarray(mask)
        if array.dtype != np.bool_:
            raise ShapeError(
                f"`{name}` is of type {array.dtype}: give a mask, True for the rows of the slice and one value a row."
            )
        if array.shape != (rows,):
            raise ShapeError(f"`{name}` has shape {array.shape} for {rows} rows: give one True or False a row.")
        if not array.any():
            raise NotEnoughData(f"No row is in the {name} slice: bring more people or years.")
        found.append(array)
    both = int((found[0] & found[1]).sum())
    if both:
        raise ShapeError(
            f"{both} rows are in the training and in the calibration slice: a model is calibrated on rows that it has "
            f"not seen, or its risks are too extreme."
        )
    return found[0], found[1]


def check_calibration_events(outcome: str, labels: npt.NDArray[np.float64], fewest: int) -> None:
    """Raises NotEnoughData if the calibration slice holds fewer events than ``fewest`` over all horizons of an
    outcome: its slope and offsets would be chance.
    """
    events = int((labels == 1).any(axis=1).sum())
    if events < fewest:
        raise NotEnoughData(
            f"{outcome} has {events} rows with an event in the calibration slice and at least "
            f"{fewest} are needed: use a longer or later slice, or leave {outcome} out of "
            f"outcomes.horizons."
        )


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
