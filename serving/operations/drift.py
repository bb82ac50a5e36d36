"""Drift of the model's inputs since training: a population stability index for each input of the published list.

The index is defined in :mod:`models.drift` and uses the deciles of the training data. If an input shifts a lot, check
the extract first, and the model second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.drift import LARGE_SHIFT, cells_of, stability_index

MOVED = LARGE_SHIFT
FEWEST_PEOPLE = 200
"""With fewer people a decile holds under twenty, and chance alone shifts it."""


def drifted(values: np.ndarray, names: Sequence[str], reference: Mapping[str, Any]) -> dict[str, float]:
    """Inputs whose index is above ``MOVED``. ``values`` is (people, features), NaN for missing; ``reference`` as
    ``models.bundle.input_summary.summarise``."""
    if len(values) < FEWEST_PEOPLE:
        return {}
    then = {entry["name"]: entry for entry in reference["features"]}
    found = {
        name: stability(column, then[name], reference["rows"])
        for name, column in zip(names, values.T, strict=True)
        if name in then
    }
    return {name: round(size, 4) for name, size in found.items() if size > MOVED}


def stability(column: np.ndarray, then: Mapping[str, Any], rows: int) -> float:
    """The stability index of one input against the summary ``then`` of ``rows`` rows of training."""
    edges = np.asarray(then["edges"], dtype=np.float64)
    shares = np.asarray(then["shares"] or [0.0])
    before = rows * np.append(shares * (1 - then["missing_share"]), then["missing_share"])
    after = np.bincount(cells_of(column, edges), minlength=len(edges) + 2)
    return float(stability_index(before, after))
