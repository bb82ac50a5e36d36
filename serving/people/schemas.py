"""A person as they leave the service."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from serving.reviews.schemas import Review
from serving.runs.schemas import RunInfo
from serving.scoring.schemas import Flags, Gap, Risk, WhatIf


class TrendPoint(BaseModel):
    """The risk in one published run. Points of different models are not strictly comparable; ``model_version`` says where that changes."""

    as_of: dt.date
    outcome: str
    horizon_days: int
    probability: float
    model_version: str


class PersonTeam(BaseModel):
    team_id: str
    name: str
    middle: dict[str, float] = Field(description="median risk in the team, by outcome and horizon as in admission_90")


class Person(BaseModel):
    """Everything current about one person."""

    patient_id: str
    team: PersonTeam
    run: RunInfo
    last_seen_on: dt.date | None
    next_booked_on: dt.date | None
    flags: Flags
    gaps: list[Gap]
    risks: list[Risk]
    what_if: list[WhatIf] = Field(
        description="what is due, and how the model's numbers would move if it were done; empty in older runs"
    )
    trend: list[TrendPoint]
    reviews: list[Review] = Field(description="newest first, without the versions that were replaced")

    def risk(self, outcome: str, horizon: int) -> Risk:
        return next(r for r in self.risks if (r.outcome, r.horizon_days) == (outcome, horizon))
