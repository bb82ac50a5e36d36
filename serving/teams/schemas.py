"""Models of a team's overview in the API."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from serving.runs.schemas import RunInfo
from serving.worklists.schemas import ListChanges, Team


class GapKind(BaseModel):
    """One kind of overdue or missing care in the team."""

    code: str
    title: str
    severity: str = Field(description="the highest severity among them")
    safety: bool
    people: int
    longest_overdue: float | None
    verified: bool = Field(description="false where the standard of one among them is not yet verified by a pharmacist")


class Week(BaseModel):
    """People with a review recorded in the week that begins on a Monday (UTC)."""

    begins_on: dt.date
    reviewed: int


class Unseen(BaseModel):
    """Somebody not seen for a long time; ``last_seen_on`` is null if they were never recorded as seen."""

    patient_id: str
    last_seen_on: dt.date | None
    next_booked_on: dt.date | None
    listed: bool = Field(description="has a place on the published list")


class SourceFreshness(BaseModel):
    """Age of one source over the team's people: days since each person's newest row of it."""

    source: str
    newest_age_days: int | None
    middle_age_days: int | None
    people_stale: int
    people_without: int


class GroupRow(BaseModel):
    """One group of an equality table. A number is null if it is hidden, so that nobody can be identified."""

    group: str
    people: int | None
    slots: int | None
    reviewed: int | None


class EqualityTable(BaseModel):
    dimension: str
    groups: list[GroupRow]


class Equality(BaseModel):
    """Which groups places and reviews reach. Small numbers are hidden, with as many others as needed to stop
    subtraction.
    """

    reviewed_since: dt.date
    least_shown: int
    tables: list[EqualityTable]


class TeamOverview(BaseModel):
    """One team as a whole, on the date of the published list."""

    team: Team
    run: RunInfo
    changes: ListChanges
    gaps: list[GapKind]
    weeks: list[Week] = Field(description="this week first")
    listings: dict[str, int] = Field(description="what reviewers thought of listings in the last 28 days, by answer")
    unseen_longest: list[Unseen]
    sources: list[SourceFreshness]
    equality: Equality
