"""Teams and worklists as they leave the service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from serving.runs.schemas import RunInfo

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
SHOWN_REASONS = 3
"""Reasons that a row of the list shows; a filter by reason looks at those that raise among them."""


class Ranking(StrEnum):
    """``risk``: the highest probability first. ``gaps``: the most severe certain safety gap first, then risk."""

    RISK = "risk"
    GAPS = "gaps"


class Team(BaseModel):
    team_id: str
    name: str
    weekly_reviews: int | None = Field(description="reviews the team can do in a week")
    people: int
    people_with_safety_gap: int


class Teams(BaseModel):
    """The teams this caller may see; ``run`` is null before the first nightly run."""

    run: RunInfo | None
    items: list[Team]
    total: int
    limit: int
    offset: int


class GapLine(BaseModel):
    """A care gap as a worklist shows it."""

    code: str
    title: str
    severity: str
    safety: bool
    days_overdue: float | None
    verified: bool


class ReasonLine(BaseModel):
    """A reason as a worklist shows it."""

    concept: str
    label: str
    direction: str
    sentence: str

    @classmethod
    def of(cls, reason: Mapping[str, Any]) -> ReasonLine:
        return cls(**{name: reason[name] for name in cls.model_fields})


class LastReview(BaseModel):
    """Who reviewed the person last, and when."""

    reviewed_at: dt.datetime
    reviewer_name: str


class RiskBefore(BaseModel):
    """The same risk in an earlier list."""

    as_of: dt.date
    probability: float


class WorklistEntry(BaseModel):
    """One person. Everybody on the caseload is somewhere in the list; capacity only draws a line."""

    position: int = Field(description="place in this list, from 1")
    rank: int = Field(description="place by risk; people with equal risk share it")
    tied: bool
    within_capacity: bool | None = Field(description="null where the team has stated no capacity")
    patient_id: str
    probability: float
    in_words: str
    reasons: list[ReasonLine]
    gaps: list[GapLine]
    last_seen_on: dt.date | None
    next_booked_on: dt.date | None
    history_days: int | None
    short_history: bool
    missing_sources: list[str]
    last_review: LastReview | None
    risk_before: list[RiskBefore] = Field(description="the same risk in earlier lists of other days, oldest first")


class Worklist(BaseModel):
    """One page of a team's list. ``safety_below_line`` names people past the capacity line who have a certain safety gap."""

    team: Team
    run: RunInfo
    outcome: str
    horizon_days: int
    ranking: Ranking
    middle: float | None = Field(description="the middle person's risk in this team (median)")
    below_line: int = Field(description="people whom this week's capacity does not reach")
    safety_below_line: int
    first_below_line_with_safety_gap: list[WorklistEntry] = Field(
        description="the first of them, whatever page this is"
    )
    items: list[WorklistEntry]
    total: int
    limit: int
    offset: int
