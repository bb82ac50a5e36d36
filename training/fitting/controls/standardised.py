"""Features as the linear controls read them: standardised, with a column for the absence of each one that some rows
lack.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standardised:
    """What was learned from the training rows: each feature's mean and spread, the 1st and 99th percentile at which it
    is cut, and whether its absence has a column."""

    middle: Floats
    spread: Floats
    low: Floats
    high: Floats
    absent: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> Standardised:
        """Learned from rows and features; NaN is missing."""
        learned = np.asarray(values, dtype=np.float64)
        missing = np.isnan(learned)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            low, high = np.nan_to_num(np.nanpercentile(learned, [1, 99], axis=0))
        clipped = np.where(missing, np.nan, np.clip(learned, low, high))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            middle, spread = np.nan_to_num(np.nanmean(clipped, axis=0)), np.nan_to_num(np.nanstd(clipped, axis=0))
        absent = (missing.mean(axis=0) > 0.002) & (missing.mean(axis=0) < 0.998)
        return cls(middle, np.where(spread > 1e-9, spread, 1.0), low, high, absent)

    def columns(self, values: npt.NDArray[np.floating]) -> Floats:
        """The columns of other rows of the same features. A missing value stands at the mean."""
        missing = np.isnan(values)
        clipped = np.clip(values.astype(np.float64), self.low, self.high)
        scaled = np.where(missing, 0.0, (clipped - self.middle) / self.spread)
        return np.hstack([scaled, missing[:, self.absent]])
