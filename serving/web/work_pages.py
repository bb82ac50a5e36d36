"""The form of a person's page that gives them to a colleague, hands them over, or marks them for this week."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import RedirectResponse, Response

from serving.access import GuardedRoute, PeopleReader
from serving.drafts.service import WORK, drop_draft, keep_draft
from serving.http.problems import ChangedMeanwhile, Problem
from serving.identity.ids import PersonId
from serving.state import Serving
from serving.web import sign_in
from serving.web.back_link import MAX_LENGTH, person_query, read_way_back
from serving.web.forms.two_windows import CHANGED, CHANGED_WORDS, kept_for_author, read_opened
from serving.work.schemas import NOTE_LABELS, WorkIn
from serving.work.service import set_work

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

NOTES = [(note.value, label) for note, label in NOTE_LABELS.items()]
WRONG = {"1": "Choose a colleague of this team, or nobody", CHANGED: CHANGED_WORDS}


class SentWork(BaseModel):
    """The form as it was sent; everything is text."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    author: str = Field(default="", max_length=64)
    opened: str = Field(default="", max_length=40)
    view: str = Field(default="", max_length=80)
    back: str = Field(default="", max_length=MAX_LENGTH)
    given_to: str = Field(default="", max_length=64)
    this_week: str = Field(default="", max_length=10)
    notes: list[str] = Field(default_factory=list, max_length=40)

    @property
    def kept(self) -> dict[str, Any]:
        """The answers and when their page was opened, without the form token and address."""
        return self.model_dump(exclude={"proof", "author", "view", "back"})


@router.post("/patients/{patient_id}/work")
async def change(
    request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId, sent: Annotated[SentWork, Form()]
) -> Response:
    """Record who has the person and come back to them. Errors stand at the top of the page."""
    if (kept := await kept_for_author(request, caller, service, patient_id, sent, WORK)) is not None:
        return kept
    given = {"given_to": sent.given_to or None, "this_week": sent.this_week == "yes", "notes": sent.notes}
    said: dict[str, Any] = {"work_set": 1}
    answers = sent.kept
    audit = service.audit_for(caller, request)
    desk = (service.database, service.sealer, caller)
    try:
        work = WorkIn.model_validate(given)
        demo = await service.reads.run(sign_in.demo_pharmacists, service)
        opened = read_opened(sent.opened)
        await service.reads.run(
            set_work, service.database, caller, audit, patient_id, work, demo, page_opened_at=opened
        )
    except ValidationError:
        said = {"work_wrong": 1}
    except ChangedMeanwhile:
        said, answers = {"work_wrong": CHANGED}, sent.kept | {"opened": ""}
    except Problem as problem:
        if not problem.errors:
            raise
        said = {"work_wrong": 1}
    if "work_wrong" in said:
        await service.reads.run(keep_draft, *desk, audit, patient_id, answers, WORK)
    else:
        await service.reads.run(drop_draft, *desk, patient_id, WORK)
    query = person_query(sent.view, read_way_back(sent.back), **said)
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}?{query}", 303)
