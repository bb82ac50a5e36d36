"""The form under each gap of a person's page: say that it is acknowledged, booked, not applicable or done."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import RedirectResponse, Response

from serving.access import GuardedRoute, PeopleReader
from serving.drafts.service import GAP, drop_draft, keep_draft
from serving.gap_statuses.endpoints import GapCode
from serving.gap_statuses.schemas import (
    MOST_DAYS,
    MOST_DAYS_CRITICAL,
    STATUS_LABELS,
    WHY_NOT_LABELS,
    Status,
    StatusIn,
)
from serving.gap_statuses.service import set_status
from serving.http.problems import ChangedMeanwhile, Problem
from serving.identity.ids import PersonId
from serving.state import Serving
from serving.web.back_link import MAX_LENGTH, person_query, read_way_back
from serving.web.forms.date_parts import DateParts
from serving.web.forms.two_windows import CHANGED, CHANGED_WORDS, kept_for_author, read_opened

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

CHOICES = [(status.value, label) for status, label in STATUS_LABELS.items() if status is not Status.OPEN]
REASONS = [(why.value, label) for why, label in WHY_NOT_LABELS.items()]
WRONG = {
    "status": "Choose what to say about it",
    "date": "Enter the day as a day, a month and a year of four digits, for example 9 3 2026",
    "until": "Give a day after today. At most 7 days ahead if it is critical; otherwise 28 if acknowledged or done, "
    "183 if booked, 365 if it does not apply",
    "why": "Say why it does not apply, and only then",
    CHANGED: CHANGED_WORDS,
}

OF_THE_DATE = {"date", "until"}


class NoDate(Exception):
    """The three fields of a date hold no date."""


class SentStatus(BaseModel):
    """The form as it was sent; everything is text."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    author: str = Field(default="", max_length=64)
    opened: str = Field(default="", max_length=40)
    view: str = Field(default="", max_length=80)
    back: str = Field(default="", max_length=MAX_LENGTH)
    status: str = Field(default="", max_length=32)
    until_day: str = Field(default="", max_length=10)
    until_month: str = Field(default="", max_length=10)
    until_year: str = Field(default="", max_length=10)
    why: str = Field(default="", max_length=32)

    @property
    def until(self) -> DateParts:
        return DateParts(self.until_day, self.until_month, self.until_year)

    @property
    def kept(self) -> dict[str, str]:
        """The answers and when their page was opened, without the form token and address."""
        return self.model_dump(exclude={"proof", "author", "view", "back"})

    def read(self) -> StatusIn:
        """The status. Raises ``ValidationError``, or ``NoDate`` for three fields that are no date."""
        try:
            until = self.until.read()
        except ValueError:
            raise NoDate from None
        return StatusIn.model_validate({"status": self.status, "until": until, "why": self.why or None})


def last_day(severity: str) -> dt.date:
    """The last day that any status of a gap of this severity may reach."""
    most = MOST_DAYS_CRITICAL if severity == "critical" else max(MOST_DAYS.values())
    return dt.datetime.now(dt.UTC).date() + dt.timedelta(days=most)


@router.post("/patients/{patient_id}/gaps/{code}/status")
async def change(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    code: GapCode,
    sent: Annotated[SentStatus, Form()],
) -> Response:
    """Set the status and come back to the person. Errors stand at the top of the page."""
    form = f"{GAP}{code}"
    if (kept := await kept_for_author(request, caller, service, patient_id, sent, form)) is not None:
        return kept
    wrong = ""
    audit = service.audit_for(caller, request)
    desk = (service.database, service.sealer, caller)
    answers = sent.kept
    try:
        read, opened = sent.read(), read_opened(sent.opened)
        await service.reads.run(
            set_status, service.database, caller, audit, patient_id, code, read, page_opened_at=opened
        )
    except NoDate:
        wrong = "date"
    except ValidationError as error:
        wrong = str(error.errors(include_input=False)[0]["loc"][0])
    except ChangedMeanwhile:
        wrong, answers = CHANGED, sent.kept | {"opened": ""}
    except Problem as problem:
        if not problem.errors:
            raise
        wrong = problem.errors[0].where.removeprefix("body.")
    if wrong:
        await service.reads.run(keep_draft, *desk, audit, patient_id, answers, form)
        said = {"status_wrong": wrong, "status_of": code}
    else:
        await service.reads.run(drop_draft, *desk, patient_id, form)
        said = {"status_set": code}
    query = person_query(sent.view, read_way_back(sent.back), **said)
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}?{query}#gap-{code}", 303)
