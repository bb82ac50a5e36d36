"""Prepares training data from records: who is scored at each landmark, features, labels, and the slice of each row."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import Records, build
from features.catalogue import CATALOGUE
from training.dataset import landmarks, splits
from training.dataset.labels import FollowUp, follow_up, last_settled_day
from training.dataset.splits import Split
from training.errors import NotEnoughData
from training.settings import Settings

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """The data a model is fitted on: rows, features, follow-up and slices.

    ``follow_up`` and ``labels`` hold events that begin on or after ``as_of``; ``with_under_way`` also holds events
    already under way. ``weights`` are by outcome and horizon (``admission_28``), None where every row counts
    once (:mod:`training.impact.exposure`).
    """

    spine: pd.DataFrame
    attrition: pd.DataFrame
    matrix: Any
    follow_up: FollowUp
    labels: pd.DataFrame
    split: Split
    seed: int = 0
    with_under_way: FollowUp | None = None
    weights: Mapping[str, npt.NDArray[np.float64]] | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of the data, for the parameters of a run and the model card."""
        return {
            "people": int(self.spine["patient_id"].nunique()),
            "rows": len(self.spine),
            "landmarks": int(self.spine["as_of"].nunique()),
            "train_rows": int(self.split.train.sum()),
            "calibration_rows": int(self.split.calibration.sum()),
            "test_rows": int(self.split.test.sum()),
        }


class Clock:
    """Prints the name of each stage as it begins, and times it."""

    def __init__(self, progress: Progress = lambda _: None) -> None:
        self.progress, self.seconds, self._name, self._from = progress, dict[str, float](), "", 0.0

    def stage(self, name: str, what: str) -> None:
        now = time.perf_counter()
        if self._name:
            self.seconds[self._name] = round(now - self._from, 3)
        self._name, self._from = name, now
        if what:
            self.progress(what)


def prepare(records: Records, settings: Settings, clock: Clock | None = None) -> Prepared:
    """Cohort at landmarks, features, labels and split of ``records``. Raises NotEnoughData if nobody is on a
    caseload, or the extract is too short."""
    clock = clock or Clock()
    clock.stage("cohort", "choosing who is scored at each landmark")
    last_day = last_settled_day(records, settings.outcomes.settling_days)
    shortest = min(min(days) for days in settings.outcomes.horizons.values())
    dates = landmarks.landmarks(records, settings.cohort, last_day + 1 - shortest)
    people = landmarks.select(records, dates, settings.cohort)
    if not len(people.spine):
        raise NotEnoughData(
            "Nobody is on a caseload at any landmark. The attrition table says why:\n"
            + people.attrition.to_string(index=False)
            + _kinds_out_of_scope(records, settings)
        )
    clock.stage(
        "labels",
        f"following {len(people.spine):,} rows of {people.spine['patient_id'].nunique():,} people to their outcomes",
    )
    everything = follow_up(records, people.spine, settings.outcomes, settings.cohort.in_scope_team_kinds)
    followed = everything.new_only()
    labels = followed.labels(settings.outcomes.horizons)
    slices = {"temporal": splits.by_time, "patients": splits.by_patients}[settings.splits.kind]
    split = slices(people.spine, settings.outcomes.longest_horizon, last_day, settings.splits)
    clock.stage("features", f"building {len(CATALOGUE)} features on {len(people.spine):,} rows")
    matrix = build(records, people.spine, threads=settings.training.threads)
    return Prepared(people.spine, people.attrition, matrix, followed, labels, split, settings.training.seed, everything)


def _kinds_out_of_scope(records: Records, settings: Settings) -> str:
    """Names the kinds of team that the settings leave out; empty if there are none."""
    kinds = records["teams"]["kind"].dropna().astype(str)
    outside = kinds[~kinds.isin(settings.cohort.in_scope_team_kinds)].value_counts()
    if not len(outside):
        return ""
    named = ", ".join(f"{kind!r} ({count} teams)" for kind, count in outside.head(5).items())
    return (
        f"\nTeams of the kind {named} are not in cohort.in_scope_team_kinds, which holds "
        f"{', '.join(settings.cohort.in_scope_team_kinds)}: write those kinds, or add yours to the setting."
    )


def team_slots(records: Records, teams: pd.Series, otherwise: int) -> list[int]:
    """Weekly reviews of each distinct team of ``teams``, in order of first appearance; ``otherwise`` for a team that
    states none.
    """
    stated = records["teams"].set_index("team_id")["weekly_reviews"]
    found = [stated.get(name, np.nan) for name in pd.unique(teams)]
    return [otherwise if pd.isna(value) else int(value) for value in found]
