"""``/patients/{patient_id}/texts``, ``/teams/{team_id}/texts`` and their forms. A person presses send; nothing else
does."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from serving.access import GuardedRoute, PeopleReader, require_own_form
from serving.http.problems import Problem
from serving.identities.service import names_of
from serving.identity.callers import Caller
from serving.identity.ids import PersonId
from serving.messages.desk import TextingDesk, desk_of, london
from serving.messages.replies import MEANING_LABELS, Meaning
from serving.messages.sending import NOT_SENT, send_text, send_texts
from serving.messages.service import WHAT_TO_DO, change_reply, require_seen, require_team, show_inbox, show_thread
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.state import Service, Serving
from serving.web.rendering import Around, around, page
from serving.web.texts.invite import invite_form
from serving.worklists.endpoints import TeamId
from serving.worklists.service import is_listed

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
ReplyId = Annotated[str, Path(min_length=1, max_length=100)]
Word = Annotated[str, Query(max_length=100)]


class SentText(BaseModel):
    """The form as it was sent: which fixed text, and the press of the button."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    key: str = Field(default="", max_length=64)
    template: str = Field(default="", max_length=32)


class SentTexts(SentText):
    """The same for several people."""

    patients: list[str] = Field(default_factory=list, max_length=500)


class ChangedReply(BaseModel):
    """What somebody does with a reply."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    change: str = Field(default="", max_length=16)


@router.get("/patients/{patient_id}/texts")
async def thread(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    opening: Annotated[str, Query(alias="open", max_length=100)] = "",
    sent: Word = "",
) -> Response:
    """A person's texts, and the form that sends one."""
    audit = service.page_audit_for(caller, request)
    desk = await _desk(service)
    if desk is None:
        await service.reads.run(require_seen, service.database, caller, audit, patient_id)
        return page(request, "texts_off.html", surroundings=await _around(request, caller, service))
    found = await service.reads.run(show_thread, desk, caller, audit, patient_id, opening)
    names = await service.reads.run(names_of, service.database, caller, service.identity_keys, [patient_id])
    return page(
        request,
        "texts.html",
        surroundings=await _around(request, caller, service),
        thread=found,
        who=names.get(patient_id),
        barred=NOT_SENT.get(found.barred, ""),
        invite=invite_form(service),
        phones=_phones(service),
        done=sent == "yes",
        wrong=NOT_SENT.get(sent, ""),
        london=london,
    )


@router.post("/patients/{patient_id}/texts")
async def send(
    request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId, sent: Annotated[SentText, Form()]
) -> Response:
    """Send one fixed text to one person."""
    require_own_form(request, sent.proof)
    audit = service.audit_for(caller, request)
    key = sent.key or secrets.token_hex(16)
    outcome = await service.reads.run(send_text, desk_of(service), caller, audit, patient_id, sent.template, key)
    query = urlencode({"sent": outcome.why or "yes"})
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}/texts?{query}", 303)


@router.get("/teams/{team_id}/texts")
async def inbox(request: Request, caller: PeopleReader, service: Serving, team_id: TeamId) -> Response:
    """What came back to a team, what did not arrive, who opted out, and the form that invites several people."""
    audit = service.page_audit_for(caller, request)
    await service.reads.run(require_team, caller, audit, team_id)
    if not await service.reads.run(is_listed, service.database, caller, audit, team_id):
        return page(
            request,
            "no_list.html",
            surroundings=await _around(request, caller, service),
            status=404,
        )
    desk = await _desk(service)
    if desk is None:
        return page(request, "texts_off.html", surroundings=await _around(request, caller, service))
    found = await service.reads.run(show_inbox, desk, caller, audit, team_id)
    people = [row.patient_id for row in (*found.replies, *found.failures, *found.opted_out)]
    names = await service.reads.run(
        names_of, service.database, caller, service.identity_keys, [*people, *found.may_be_texted]
    )
    return page(
        request,
        "texts_inbox.html",
        surroundings=await _around(request, caller, service),
        inbox=found,
        names=names,
        labels={meaning.value: label for meaning, label in MEANING_LABELS.items()},
        words=Meaning.WORDS.value,
        what_to_do=WHAT_TO_DO,
        invite=invite_form(service),
        phones=_phones(service),
        london=london,
    )


@router.post("/teams/{team_id}/texts")
async def invite(
    request: Request, caller: PeopleReader, service: Serving, team_id: TeamId, sent: Annotated[SentTexts, Form()]
) -> Response:
    """Send one fixed text to each of the people who were chosen, and say who was left out and why. The same press sends
    nothing twice, so loading the answer again does no harm."""
    require_own_form(request, sent.proof)
    audit = service.audit_for(caller, request)
    key = sent.key or secrets.token_hex(16)
    desk = desk_of(service)
    outcomes = await service.reads.run(send_texts, desk, caller, audit, sent.patients, sent.template, key)
    seen = [one.patient_id for one in outcomes if one.why != "not-visible"]
    return page(
        request,
        "texts_sent.html",
        surroundings=await _around(request, caller, service),
        team_id=team_id,
        names=await service.reads.run(names_of, service.database, caller, service.identity_keys, seen),
        sent=[one for one in outcomes if one.sent],
        left_out=[one for one in outcomes if not one.sent],
    )


@router.post("/texts/{reply_id}")
async def change(
    request: Request, caller: PeopleReader, service: Serving, reply_id: ReplyId, sent: Annotated[ChangedReply, Form()]
) -> Response:
    """Take a reply, give it back, or finish with it."""
    require_own_form(request, sent.proof)
    audit = service.audit_for(caller, request)
    team_id = await service.reads.run(change_reply, desk_of(service), caller, audit, reply_id, sent.change)
    return RedirectResponse(f"/teams/{quote(team_id, safe='')}/texts", 303)


def _phones(service: Service) -> str:
    """Where the phones of the demo are; empty anywhere else."""
    texting = service.settings.texting
    return f"{texting.address}/" if service.settings.environment == "demo" and texting.is_imitated else ""


async def _around(request: Request, caller: Caller, service: Service) -> Around:
    return around(request, caller, await service.reads.run(_run, service))


def _run(service: Service) -> RunInfo | None:
    with service.database.read() as connection:
        run = current_run(connection)
    return RunInfo.of(run) if run is not None else None


async def _desk(service: Service) -> TextingDesk | None:
    try:
        return desk_of(service)
    except Problem:
        return None
