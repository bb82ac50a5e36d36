"""A team's overview as it leaves the service."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from serving.runs.schemas import RunInfo
from serving.worklists.schemas import ListChanges, Team


class GapKind(BaseModel):
    """One kind of certain care gap in the team."""

    code: str
    title: str
    severity: str = Field(description="the worst among them")
    safety: bool
    people: int
    longest_overdue: float | None


class Week(BaseModel):
    """People with a review recorded in the week that begins on a Monday (UTC)."""

    begins_on: dt.date
    reviewed: int


class Unseen(BaseModel):
    """Somebody not seen for long; ``last_seen_on`` is null for somebody never recorded as seen."""

    patient_id: str
    last_seen_on: dt.date | None
    next_booked_on: dt.date | None
    listed: bool = Field(description="has a slot on the published list")


class SourceFreshness(BaseModel):
    """How old one source is over the team's people: days since each person's newest row of it."""

    source: str
    newest_age_days: int | None
    middle_age_days: int | None
    people_stale: int
    people_without: int


class GroupRow(BaseModel):
    """One group of an equality table. A number is null where it is hidden, so that nobody can be picked out."""

    group: str
    people: int | None
    slots: int | None
    reviewed: int | None


class EqualityTable(BaseModel):
    dimension: str
    groups: list[GroupRow]


class Equality(BaseModel):
    """Who slots and reviews reach, by group. Small numbers are hidden, and as many others as keep them from being
    worked out."""

    reviewed_since: dt.date
    least_shown: int
    tables: list[EqualityTable]


class TeamOverview(BaseModel):
    """One team as a whole, as of the published list."""

    team: Team
    run: RunInfo
    changes: ListChanges
    gaps: list[GapKind]
    weeks: list[Week] = Field(description="this week first")
    listings: dict[str, int] = Field(description="what reviewers thought of listings in the last 28 days, by answer")
    unseen_longest: list[Unseen]
    sources: list[SourceFreshness]
    equality: Equality
