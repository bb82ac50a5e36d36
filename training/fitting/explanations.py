"""Exact contributions of a calibrated model as a ``shap.Explanation``, ready for shap's plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm
import numpy as np
import numpy.typing as npt

from models.calibration import Calibration
from models.risk_model import stack_horizons
from models.shapley import TreeShapley

if TYPE_CHECKING:
    import shap


def explanation(
    booster: lightgbm.Booster,
    calibration: Calibration,
    values: npt.NDArray[np.floating],
    names: tuple[str, ...],
    horizon: int,
    threads: int,
) -> shap.Explanation:
    """Contributions to the calibrated logit at one horizon: each row's sum plus its base value is the logit of its
    probability. The last column is the horizon's own part.
    """
    import shap

    stacked = np.ascontiguousarray(stack_horizons(values, [horizon]))
    found = TreeShapley(booster).contributions(stacked, threads)
    offset = calibration.offsets[calibration.horizons.index(horizon)]
    return shap.Explanation(
        values=calibration.slope * found[:, :-1],
        base_values=calibration.slope * found[:, -1] + offset,
        data=stacked,
        feature_names=[*names, "horizon_days"],
    )
