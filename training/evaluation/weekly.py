"""The weekly lists of the test slice: everybody on a caseload in each week, scored as the service would have scored
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features import Records, build
from features.engine.matrix import FeatureMatrix
from features.records.days import to_datetime64
from training.dataset import labels, landmarks
from training.dataset.labels import FollowUp
from training.evaluation.capacity import Weekly
from training.evaluation.figures import numbered
from training.settings import Settings
from training.statistics.resampling import Draws, codes

NEWS_SEEN_DAYS = 14
Reviewed = Callable[[FollowUp], tuple[FollowUp, Mapping[str, npt.NDArray[np.float64]] | None]]
"""Follow-up that ends at a review from a live list, and how many rows each row stands for (None: each counts once)."""


@dataclass(frozen=True)
class Weeks:
    """Rows at weekly landmarks: features, and what happened to each person afterwards."""

    matrix: FeatureMatrix
    follow_up: FollowUp
    weights: Mapping[str, npt.NDArray[np.float64]] | None = None

    def rows(self, outcome: str, horizon: int, draws: int, seed: int) -> tuple[npt.NDArray[np.int64], Weekly]:
        """Positions of the rows at risk whose window is complete, and the columns that the capacity figures read."""
        followed, day = self.follow_up.outcomes[outcome], self.follow_up.day
        complete = day + horizon <= self.follow_up.last_day + 1
        at = np.flatnonzero((followed.not_at_risk == labels.AT_RISK) & complete)
        status = self.follow_up.status(outcome, horizon)[at]
        happened = status == "event"
        people = codes(self.matrix.spine["patient_id"].iloc[at])
        team = self._teams()[0][at]
        event = numbered(people, followed.event_day[at], happened)
        lead = np.where(happened, followed.event_day[at] - day[at], 0)
        known = happened | (status == "none")
        drawn, news = Draws.of(people, draws, seed), self._news()[at]
        each = None if self.weights is None else self.weights[f"{outcome}_{horizon}"][at]
        return at, Weekly(people, team, day[at], known, event, lead, news, drawn, each)

    def team_names(self) -> list[str]:
        return self._teams()[1]

    def _teams(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        if "team_id" not in self.matrix.spine:
            return np.zeros(len(self.matrix), dtype=np.int64), ["everybody"]
        teams = self.matrix.spine["team_id"].astype(str)
        names = sorted(set(teams))
        return np.searchsorted(names, teams.to_numpy(dtype=str)).astype(np.int64), names

    def _news(self) -> npt.NDArray[np.bool_]:
        """True if there was no crisis or admission in the last year and no contact in the last 14 days, as far as the
        records show.
        """
        crises, stays, seen = (
            self.matrix.column(name) for name in ("crisis_contacts_365d", "admissions_365d", "days_since_attended")
        )
        return ~(crises > 0) & ~(stays > 0) & ~(seen <= NEWS_SEEN_DAYS)


def weeks(records: Records, settings: Settings, first_day: int, last_day: int, reviewed: Reviewed) -> Weeks:
    """Every ``score_every_days`` from ``first_day`` (the first of the test slice), at most ``capacity_weeks`` dates
    and none after ``last_day``. ``reviewed`` ends follow-up at reviews from a live list, and weights the others.
    """
    days = np.arange(first_day, last_day + 1, settings.cohort.score_every_days, dtype=np.int32)
    chosen = landmarks.select(records, to_datetime64(days[: settings.evaluation.capacity_weeks]), settings.cohort)
    followed = labels.follow_up(records, chosen.spine, settings.outcomes, settings.cohort.in_scope_team_kinds)
    follow_up, weights = reviewed(followed.new_only())
    return Weeks(build(records, chosen.spine, threads=settings.training.threads), follow_up, weights)
