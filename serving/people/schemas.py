"""Models of a person in the API."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from serving.auditing.schemas import Emergency
from serving.gap_statuses.schemas import GapStatus
from serving.reviews.schemas import Review
from serving.runs.schemas import RunInfo
from serving.scoring.schemas import CareGap, Flags, Risk, WhatIfAnswer
from serving.summaries.schemas import AtAGlance
from serving.work.schemas import Work
from serving.worklists.schemas import Adjustment


class TrendPoint(BaseModel):
    """The risk in one published run. Points of different models are not strictly comparable; ``model_version`` says
    where that changes."""

    as_of: dt.date
    outcome: str
    horizon_days: int
    probability: float
    model_version: str


class PersonTeam(BaseModel):
    team_id: str
    name: str
    middle: dict[str, float] = Field(description="median risk in the team, by outcome and horizon as in admission_90")


class SupplyEvent(BaseModel):
    """A supply and the days it covers, [from, to), with at most 7 days of what was in hand carried over."""

    on: dt.date
    medicine: str
    kind: str
    injection: bool
    covers_from: dt.date
    covers_to: dt.date
    mg: float | None = Field(description="a day's dose, or an injection's")
    as_required: bool
    days_assumed: str = Field(
        default="", description="what was assumed where the record does not say how long it lasts"
    )


class ResultEvent(BaseModel):
    on: dt.date
    test: str
    label: str
    value: float | None
    unit: str
    comparator: str = Field(default="", description="< or > where the laboratory gave a bound and not a number")


class CheckDue(BaseModel):
    """The earliest day on which a scheduled check is or was due; ``last_on`` is null where none is recorded."""

    test: str
    label: str
    due_on: dt.date
    last_on: dt.date | None
    grace_days: int


class ContactEvent(BaseModel):
    """A contact; ``planned`` lies ahead, or its outcome is not known yet."""

    on: dt.date
    kind: str
    mode: str
    outcome: str


class StayEvent(BaseModel):
    """``discharged_on`` is null while nothing says that the stay ended."""

    admitted_on: dt.date
    discharged_on: dt.date | None
    ward: str
    method: str


class RecordedCircumstance(BaseModel):
    """What is recorded of a person's circumstances and own words; ``on`` is null where the record gives no day."""

    kind: str
    value: str
    on: dt.date | None


class LastYear(BaseModel):
    """The record of the last twelve months, as it was known on the day of the list, and what lies ahead."""

    supplies: list[SupplyEvent]
    results: list[ResultEvent]
    dues: list[CheckDue]
    contacts: list[ContactEvent]
    stays: list[StayEvent]
    circumstances: list[RecordedCircumstance] = Field(
        default_factory=list, description="housing, carer, side effects and wishes, as recorded"
    )


class GapOfPerson(CareGap):
    """A care gap of the published list with its status."""

    status: GapStatus | None = Field(default=None, description="the newest status, also where it no longer holds")


class Person(BaseModel):
    """Everything current about one person."""

    patient_id: str
    team: PersonTeam
    run: RunInfo
    last_seen_on: dt.date | None
    next_booked_on: dt.date | None
    flags: Flags
    adjustments: list[Adjustment] = Field(description="recorded needs, so that a review reaches the person")
    summary: AtAGlance | None = Field(
        description="medicines with doses, recorded facts and what falls due; null in runs made before it was kept"
    )
    last_year: LastYear | None = Field(description="null in runs made before it was kept")
    gaps: list[GapOfPerson]
    risks: list[Risk]
    what_if: list[WhatIfAnswer] = Field(
        description="due actions, and how the model's estimates would change if they were done; empty in older runs"
    )
    trend: list[TrendPoint]
    reviews: list[Review] = Field(description="newest first, without the versions that were replaced or undone")
    review_versions: list[Review] = Field(description="every version of every review, newest first")
    work: Work = Field(description="who of the team has the person now, and who could")
    emergency: Emergency | None = Field(
        description="the emergency access by which the caller sees this person of another team; null for their own"
    )

    def risk(self, outcome: str, horizon: int) -> Risk:
        return next(r for r in self.risks if (r.outcome, r.horizon_days) == (outcome, horizon))
