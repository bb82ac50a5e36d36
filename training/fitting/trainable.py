"""What the events of a store allow: which outcomes can be trained and calibrated (the others are left out by name), and
how large their trees are. With few events small trees rank best; with many, larger ones do (docs/evaluation.md, "Larger
trees for more events").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.dataset.prepare import Prepared
from training.dataset.splits import Split
from training.fitting.stacked import FEWEST_EVENTS
from training.settings import Settings, TrainingSettings


@dataclass(frozen=True)
class TrainableOutcomes:
    """The data and settings of the outcomes that can be trained, and why each other outcome is ``left_out``."""

    ready: Prepared
    settings: Settings
    left_out: dict[str, str]


def trainable(ready: Prepared, settings: Settings) -> TrainableOutcomes:
    """Leaves out outcomes with too few events. Where no outcome has enough, nothing is left out, and fitting says what
    is missing.
    """
    horizons = settings.outcomes.horizons
    reasons = {
        outcome: why
        for outcome, days in horizons.items()
        if (why := _too_few(outcome, ready.labels[[f"{outcome}_{h}" for h in days]], ready.split, settings))
    }
    if not reasons or len(reasons) == len(horizons):
        return TrainableOutcomes(ready, settings, {})
    kept = {outcome: days for outcome, days in horizons.items() if outcome not in reasons}
    columns = [f"{outcome}_{h}" for outcome, days in kept.items() for h in days]
    outcomes = settings.outcomes.model_copy(update={"horizons": kept})
    return TrainableOutcomes(
        replace(ready, labels=ready.labels[columns]), settings.model_copy(update={"outcomes": outcomes}), reasons
    )


def _too_few(outcome: str, labels: pd.DataFrame, split: Split, settings: Settings) -> str:
    event = labels.to_numpy(dtype=np.float64) == 1
    learned, calibrated = int(event[split.train].sum()), int(event[split.calibration].any(axis=1).sum())
    fewest = settings.training.fewest_calibration_events
    if learned >= FEWEST_EVENTS and calibrated >= fewest:
        return ""
    return (
        f"{outcome} is left out: {learned} events to train on (at least {FEWEST_EVENTS} are needed) and {calibrated} "
        f"rows with an event to calibrate on (at least {fewest}). The other outcomes are trained. Bring more people "
        f"or years, or take {outcome} out of outcomes.horizons"
    )


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
