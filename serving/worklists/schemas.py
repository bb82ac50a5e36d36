"""Models of teams and worklists in the API. List items are dataclasses: one allocation instead of three."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from serving.runs.schemas import RunInfo
from serving.summaries.schemas import ClosedShown
from serving.worklists.ranking import Ranking
from serving.worklists.rules import LeftReason, Slot, Standing

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
SHOWN_REASONS = 3
"""Reasons that a row of the list shows; a filter by reason looks at those that raise among them."""


class Reviewed(StrEnum):
    """Filter by when somebody last recorded a review of the person."""

    NEVER = "never"
    WEEK = "7"
    MONTH = "28"
    NOT_MONTH = "not-28"


class WorkOf(StrEnum):
    """Whose people, and which."""

    MINE = "mine"
    THIS_WEEK = "this_week"
    NOBODY = "nobody"


class Filters(BaseModel):
    """Filters of a list. Ranks and the line of this week's capacity stay those of the whole list."""

    gap: str | None = Field(default=None, description="people with a care gap of this code")
    reason: str | None = Field(
        default=None, description="people whose main reasons hold this concept as one that raises"
    )
    medicine: str | None = Field(default=None, description="people who hold this medicine now")
    reviewed: Reviewed | None = Field(
        default=None, description="never; in the last 7 or 28 days; or not in the last 28 days"
    )
    work: WorkOf | None = Field(
        default=None, description="given to the caller; to do this week, by anybody; or given to nobody"
    )

    @property
    def given(self) -> dict[str, str]:
        return {name: str(value) for name, value in self if value}


class Sorting(StrEnum):
    """The column that a page is sorted by, in place of the list's own order."""

    NAME = "name"
    MEDICINE = "medicine"
    GAP = "gap"
    NEXT = "next"
    RISK = "risk"
    SEEN = "seen"


class FilterChoice(BaseModel):
    """Something a list can be cut to, and how many people of the team it leaves."""

    value: str
    label: str
    people: int


class FilterChoices(BaseModel):
    gap: list[FilterChoice]
    reason: list[FilterChoice]
    medicine: list[FilterChoice]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a person needs so that care reaches them: an interpreter, a format, another adjustment."""

    kind: str
    value: str


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


@dataclass(frozen=True, slots=True)
class GapLine:
    """A care gap as a worklist shows it."""

    code: str
    title: str
    severity: str
    safety: bool
    days_overdue: float | None
    verified: bool
    shown: bool
    status: str | None = None
    """What somebody said that holds now, in words: ``Booked until 12 January 2026``."""


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """A reason as a worklist shows it."""

    concept: str
    label: str
    direction: str
    sentence: str


@dataclass(frozen=True, slots=True)
class NextDue:
    """What falls due next: a check, an injection, a supply."""

    on: dt.date
    what: str


@dataclass(frozen=True, slots=True)
class LastReview:
    """Who reviewed the person last, and when."""

    reviewed_at: dt.datetime
    reviewer_name: str


@dataclass(frozen=True, slots=True)
class RiskBefore:
    """The same risk in an earlier list."""

    as_of: dt.date
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistEntry:
    """One person. Everybody on the caseload is somewhere in the list; capacity only draws a line."""

    position: Annotated[int, Field(description="place in this list, from 1")]
    rank: Annotated[int, Field(description="place by risk; people with equal risk share it")]
    tied: bool
    within_capacity: Annotated[
        bool | None,
        Field(
            description=(
                "has a place on the published list or, in any other order, a place the capacity reaches; null "
                "where the team has stated no capacity"
            )
        ),
    ]
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
    adjustments: Annotated[list[Adjustment], Field(description="recorded needs, so that a review reaches the person")]
    standing: Annotated[
        Standing | None,
        Field(
            description=(
                "listed, waiting, reviewed (gets no place on the list for some weeks) or snoozed; null in a run made "
                "before lists were kept"
            )
        ),
    ]
    slot: Annotated[
        Slot | None,
        Field(description="why the person has a place on the published list; null where they have none"),
    ]
    joined: Annotated[
        bool,
        Field(
            description=(
                "has a place on the published list and had none on the list before; nobody on a team's first list"
            )
        ),
    ]
    listed_since: dt.date | None
    snoozed_until: Annotated[
        dt.date | None, Field(description="a snooze that holds now; it takes effect when it is recorded")
    ]
    work: Annotated[str, Field(description="who has the person, and whether to do it this week, in words")] = ""
    medicines: Annotated[list[str], Field(description="medicines with doses, in words, the first first")] = field(
        default_factory=list
    )
    next_due: Annotated[NextDue | None, Field(description="what falls due next, within 14 days")] = None
    in_critical_band: Annotated[
        bool,
        Field(description="past the capacity, and above the line all the same: a critical safety gap"),
    ] = False
    closed: Annotated[
        list[ClosedShown],
        Field(description="overdue care that a row of the last 14 days closed, and that the list before did not show"),
    ] = field(default_factory=list)
    unchecked: Annotated[
        list[str] | None,
        Field(description="what applies and could not be checked as a record is missing; null where it was not kept"),
    ] = None
    risk_before: Annotated[
        list[RiskBefore], Field(description="the same risk in earlier lists of other days, oldest first")
    ]

    def over_lists(self, as_of: dt.date) -> list[tuple[dt.date, float]]:
        """The risk in earlier lists and in this one."""
        return [*((risk.as_of, risk.probability) for risk in self.risk_before), (as_of, self.probability)]


class ListRulesUsed(BaseModel):
    """The rules that the published lists were made by."""

    outcome: str
    horizon_days: int
    ranking: Ranking
    stay: float = Field(
        description="a person with a place on the list keeps it unless another's risk is higher by this share, so that "
        "lists are steady"
    )
    rest_days: int = Field(
        description="days after a review without a place on the list, if the reviewer did not choose a day"
    )


class Joined(BaseModel):
    """A person who got a place on a list of the last days."""

    patient_id: str
    as_of: dt.date = Field(description="of the first list they were on")
    slot: Slot
    place: int


class Left(BaseModel):
    """A person who lost their place on the list, with the one reason for it."""

    patient_id: str
    as_of: dt.date = Field(description="of the first list they were not on")
    reason: LeftReason
    in_words: str
    listed_since: dt.date | None
    rank: int | None = Field(
        description="the place in the order of the list they left; null for somebody who left the caseload"
    )
    displaced_by: str | None
    on_day: dt.date | None = Field(description="the day of the review, or the day the snooze ends")
    still_here: bool = Field(description="on this team's caseload now, so that the person's page can be opened")


class ListChanges(BaseModel):
    """Who joined and who left a team's list since a day, newest first."""

    since: dt.date
    joined: list[Joined]
    left: list[Left]


class Worklist(BaseModel):
    """One page of a team's list. ``safety_below_line`` counts people below the line who have a high safety gap;
    people with a critical gap are above it.

    In the published order, people with a place on the list come first. Snoozed people come last in every order.
    """

    team: Team
    run: RunInfo
    outcome: str
    horizon_days: int
    ranking: Ranking
    rules: ListRulesUsed | None = Field(description="null in a run made before lists were kept")
    published_order: bool = Field(
        description="this is the order the list was published in; any other view orders the same people by itself"
    )
    listed: int = Field(description="people within this week's capacity")
    snoozed: int
    in_critical_band: int = Field(description="people past the capacity who stand above the line: a critical gap")
    changes: ListChanges
    middle: float | None = Field(description="the team's median risk")
    reviews_this_week: int = Field(description="people of this team with a review recorded since Monday (UTC)")
    below_line: int = Field(description="people whom this week's capacity does not reach")
    safety_below_line: int
    first_below_line_with_safety_gap: list[WorklistEntry] = Field(
        description="the first of them, whatever page this is"
    )
    items: list[WorklistEntry]
    filters: Filters
    choices: FilterChoices = Field(description="filters of the list, with how many people each leaves")
    more_gaps: dict[str, int] = Field(default_factory=dict, exclude=True)
    """By person, the care gaps that a dense line leaves out; empty where the entries hold them all."""
    matching: int = Field(description="people that the filters leave; all of them without a filter")
    total: int
    limit: int
    offset: int
