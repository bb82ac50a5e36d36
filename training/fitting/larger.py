"""Trees that follow the number of events: with few, small trees rank best; with many, larger ones do
(docs/evaluation.md, "Larger trees for more events").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.dataset.prepare import Prepared
from training.settings import Settings, TrainingSettings


def larger_trees(
    ready: Prepared, train: npt.NDArray[np.bool_], settings: Settings, progress: Callable[[str], None] = lambda _: None
) -> TrainingSettings:
    """The parameters of training, where each outcome has those of the last step of ``by_outcome.*.larger`` that its
    people with an event in the rows of ``train`` reach. ``progress`` gets a line for each outcome that reaches one."""
    found = settings.training
    for outcome, days in settings.outcomes.horizons.items():
        people = people_with_an_event(ready.spine, ready.labels[[f"{outcome}_{h}" for h in days]], train)
        reached = found.with_events(outcome, people)
        if reached is not found:
            own = reached.of(outcome)
            progress(f"{outcome}: {people:,} people with an event, so {own.trees} trees of {own.leaves} leaves")
        found = reached
    return found


def people_with_an_event(spine: pd.DataFrame, labels: pd.DataFrame, train: npt.NDArray[np.bool_]) -> int:
    """How many people have an event at any horizon of ``labels`` in the rows of ``train``. Rows and horizons of one
    person are near-copies, so people say how much there is to learn from."""
    event = train & (labels.to_numpy(dtype=np.float64) == 1).any(axis=1)
    return int(spine["patient_id"][event].nunique())
