"""Models of the status of a care gap in the API. Everything is coded; there is no free text."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from serving.http.types import Day, Strict


class Status(StrEnum):
    """Status of a gap, set by a person. ``open`` cancels an earlier status."""

    ACKNOWLEDGED = "acknowledged"
    BOOKED = "booked"
    NOT_APPLICABLE = "not_applicable"
    DONE = "done"
    OPEN = "open"


class WhyNot(StrEnum):
    """Why a gap does not apply to this person now."""

    RECORDED_ELSEWHERE = "recorded_elsewhere"
    NOT_TAKING_IT = "not_taking_it"
    AGREED_WITH_PRESCRIBER = "agreed_with_prescriber"
    PERSON_DECLINED = "person_declined"
    RECORD_IS_WRONG = "record_is_wrong"
    ANOTHER_TEAM_MONITORS = "another_team_monitors"


STATUS_LABELS = {
    Status.ACKNOWLEDGED: "Acknowledged: somebody is on it",
    Status.BOOKED: "Booked",
    Status.NOT_APPLICABLE: "Does not apply",
    Status.DONE: "Done, not on record yet",
    Status.OPEN: "Open again",
}
WHY_NOT_LABELS = {
    WhyNot.RECORDED_ELSEWHERE: "It is recorded in another system",
    WhyNot.NOT_TAKING_IT: "The person does not take this medicine",
    WhyNot.AGREED_WITH_PRESCRIBER: "Agreed with the prescriber",
    WhyNot.PERSON_DECLINED: "The person declined, with capacity",
    WhyNot.RECORD_IS_WRONG: "The record is wrong",
    WhyNot.ANOTHER_TEAM_MONITORS: "Another team monitors this",
}
MOST_DAYS = {Status.ACKNOWLEDGED: 28, Status.BOOKED: 183, Status.NOT_APPLICABLE: 365, Status.DONE: 28}
"""How many days ahead each status may reach. Decided here: a status is a promise to check again, not a way out."""
MOST_DAYS_CRITICAL = 7
"""A critical gap is never set aside for longer, whatever its status."""


class StatusIn(Strict):
    """A new status of a gap, and until when. ``open`` cancels the status and has no date."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "open"}]})

    status: Status
    until: Day | None = Field(default=None, description="the day from which the gap counts as open again")
    why: WhyNot | None = Field(default=None, description="for not_applicable only: the reason")


class GapStatus(BaseModel):
    """The newest status of a gap, and whether it is still valid."""

    code: str
    status: Status
    until: dt.date | None
    why: WhyNot | None
    set_at: dt.datetime
    set_by: str = Field(description="the name of the person who said it")
    holds: bool = Field(description="false: the gap is open again, for the reason in ``ended``")
    ended: str = Field(description="why it is no longer valid, in words; empty while it is")
    in_words: str


class GapStatuses(BaseModel):
    """All statuses of a person's gaps, newest first."""

    patient_id: str
    items: list[GapStatus]
