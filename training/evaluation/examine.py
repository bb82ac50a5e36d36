"""What an evaluation says beyond the scores of the test rows: figures that need the fitted model itself, added to ``evaluation.json`` in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalogue import CATALOGUE
from training.evaluation import stability
from training.evaluation.resampling import Floats, codes
from training.fit import Fitted
from training.outcomes import FollowUp
from training.settings import Settings
from training.splits import Split


class Ready(Protocol):
    """What is read of a prepared run."""

    spine: pd.DataFrame
    matrix: Any
    follow_up: FollowUp
    labels: pd.DataFrame
    split: Split


def examine(
    evaluation: dict[str, Any], ready: Ready, fitted: Fitted, model: Mapping[str, Floats], settings: Settings
) -> None:
    """Adds to each pair: ``stability``. ``model`` holds the model's probability of every spine row by outcome and horizon, NaN outside the test slice."""
    tested = np.flatnonzero(ready.split.test)
    own = {name: score[tested] for name, score in model.items()}
    for name, found in _stability(ready, fitted, own, tested, settings).items():
        evaluation["pairs"][name]["stability"] = found


def _stability(
    ready: Ready, fitted: Fitted, own: Mapping[str, Floats], tested: npt.NDArray[np.int64], settings: Settings
) -> dict[str, dict[str, Any]]:
    number = settings.evaluation.stability_refits
    if not number:
        return {}
    people, values = codes(ready.spine["patient_id"]), ready.matrix.values
    again = stability.refits(
        fitted,
        values,
        ready.labels,
        people,
        ready.split.train,
        ready.split.calibration,
        tested,
        settings.training,
        number,
    )
    known = {feature.name: feature.concept for feature in CATALOGUE}
    concepts = [known.get(name, name) for name in fitted.names]
    team = codes(ready.spine["team_id"]) if "team_id" in ready.spine else np.zeros(len(people), dtype=np.int64)
    return stability.figures(fitted, again, own, values[tested], concepts, team[tested], ready.follow_up.day[tested])
