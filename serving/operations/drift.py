"""Has what the model reads moved away from what it was trained on? A population stability index for each input of the
published list.

``PSI = sum over bins of (now - then) * ln(now / then)``, with the training's own deciles as bins and one more for what
is missing. Above 0.25 an input has moved (a rule of thumb of credit scoring, Siddiqi 2006, and no more than that): a
reason to look at the extract first, at the model second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MOVED = 0.25
FEWEST_PEOPLE = 200
"""Below this a decile holds under twenty people, and chance alone moves it."""
SMALLEST_SHARE = 1e-3


def drifted(values: np.ndarray, names: Sequence[str], reference: Mapping[str, Any]) -> dict[str, float]:
    """Inputs whose index is above ``MOVED``. ``values`` is (people, features), NaN for missing; ``reference`` as
    ``models.bundle.input_summary.summarise``."""
    if len(values) < FEWEST_PEOPLE:
        return {}
    then = {entry["name"]: entry for entry in reference["features"]}
    found = {name: stability(column, then[name]) for name, column in zip(names, values.T, strict=True) if name in then}
    return {name: round(size, 4) for name, size in found.items() if size > MOVED}


def stability(column: np.ndarray, then: Mapping[str, Any]) -> float:
    """The stability index of one input."""
    known = column[~np.isnan(column)]
    missing = 1 - len(known) / len(column)
    bins = len(then["shares"])
    counts = np.bincount(np.searchsorted(then["edges"], known, side="left"), minlength=max(bins, 1))
    shares = counts / max(len(known), 1)
    then_shares = np.asarray(then["shares"] or np.zeros_like(shares))
    now = np.append(shares * (1 - missing), missing)
    before = np.append(then_shares * (1 - then["missing_share"]), then["missing_share"])
    now, before = np.maximum(now, SMALLEST_SHARE), np.maximum(before, SMALLEST_SHARE)
    return float(np.sum((now - before) * np.log(now / before)))
