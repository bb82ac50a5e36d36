"""Who a person is given to, as it comes in and as it leaves. Everything is coded; there is no free text."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from serving.http.types import Strict


class HandoverNote(StrEnum):
    """What a colleague has to know or do next."""

    BLOODS_TO_CHASE = "bloods_to_chase"
    RESULT_TO_READ = "result_to_read"
    PERSON_TO_CALL = "person_to_call"
    CARER_TO_CALL = "carer_to_call"
    GP_TO_CALL = "gp_to_call"
    PRESCRIBER_TO_ASK = "prescriber_to_ask"
    SUPPLY_TO_ARRANGE = "supply_to_arrange"
    INJECTION_TO_ARRANGE = "injection_to_arrange"
    LETTER_TO_SEND = "letter_to_send"
    REVIEW_BEGUN = "review_begun"
    WAITING_FOR_REPLY = "waiting_for_reply"
    BEST_IN_PERSON = "best_in_person"
    COVER_FOR_ABSENCE = "cover_for_absence"


NOTE_LABELS = {
    HandoverNote.BLOODS_TO_CHASE: "Blood test to chase",
    HandoverNote.RESULT_TO_READ: "Result to read",
    HandoverNote.PERSON_TO_CALL: "Person to call",
    HandoverNote.CARER_TO_CALL: "Carer to call",
    HandoverNote.GP_TO_CALL: "GP to call",
    HandoverNote.PRESCRIBER_TO_ASK: "Prescriber to ask",
    HandoverNote.SUPPLY_TO_ARRANGE: "Supply to arrange",
    HandoverNote.INJECTION_TO_ARRANGE: "Injection to arrange",
    HandoverNote.LETTER_TO_SEND: "Letter to send",
    HandoverNote.REVIEW_BEGUN: "Review begun, not finished",
    HandoverNote.WAITING_FOR_REPLY: "Waiting for a reply",
    HandoverNote.BEST_IN_PERSON: "Best met in person",
    HandoverNote.COVER_FOR_ABSENCE: "Cover while somebody is away",
}


class WorkIn(Strict):
    """Who has the person now, and whether to do it this week. Sent whole: what is left out is taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"this_week": True, "notes": ["bloods_to_chase"]}]})

    given_to: str | None = Field(
        default=None, min_length=1, max_length=64, description="a colleague of the person's team; null: nobody"
    )
    this_week: bool = Field(default=False, description="to do this week")
    notes: list[HandoverNote] = Field(
        default_factory=list, max_length=len(HandoverNote), description="what the colleague has to know"
    )


class Colleague(BaseModel):
    """Somebody who may be given people of a team."""

    person: str = Field(description="how Upstream knows them; the same on every day")
    name: str


class WorkItem(BaseModel):
    """The newest word on who has a person."""

    given_to: str | None
    given_to_name: str
    still_in_team: bool = Field(description="false: whom it was given to is not in the team now")
    this_week: bool = Field(description="still to do: no review was recorded since")
    notes: list[HandoverNote]
    set_at: dt.datetime
    set_by: str = Field(description="the name of the person who set it")

    @property
    def note_labels(self) -> list[str]:
        return [NOTE_LABELS[note] for note in self.notes]


class Work(BaseModel):
    """Who has a person now, and who could; ``item`` is null where nobody has them."""

    patient_id: str
    item: WorkItem | None
    colleagues: list[Colleague]
