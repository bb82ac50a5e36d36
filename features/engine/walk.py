"""What a walk is: the compiled work that fills some columns of the matrix, for any of its rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from features.spec import Feature

Walk = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float32]], None]
"""(person, as_of, rows of the matrix, matrix): computes the walk's columns of those rows."""

Placed = tuple[int, Feature]
"""A feature and its column of the matrix."""
