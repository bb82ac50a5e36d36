"""``/audit`` for the auditor: emergency access first, then who saw whom, when, why and with which model.
``/emergency-access`` for a pharmacist."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from features.records.reading.nhs_numbers import looks_like_one
from serving.access import AuditorReader, GuardedRoute, PharmacistReader, require_own_form
from serving.auditing.endpoints import PLAIN, Action, Actor, Before
from serving.auditing.repository import Asked
from serving.auditing.schemas import ACCESS_MINUTES, REASON_LABELS, Event
from serving.auditing.service import open_in_emergency, whole_log
from serving.http.problems import Problem
from serving.identity.callers import ROLE_LABELS
from serving.state import Serving
from serving.web.forms.date_parts import DateParts
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

Text = Annotated[str, Query(max_length=200, pattern=PLAIN)]
EVENTS_A_PAGE = 50
EMERGENCIES_SHOWN = 2_000
PEOPLE_NAMED = 12
WHICH_DAY = "Write a day, a month and a year of four digits, for example 5 1 2026, or leave all three empty"
ACTIONS = {
    "person.seen": "Read a person",
    "worklist.seen": "Read a worklist",
    "worklist.exported": "Took a worklist away as CSV",
    "teams.seen": "Read the list of teams",
    "team.overview_seen": "Read a team's page",
    "person.left_seen": "Asked for a person who has left",
    "card.shown": "Showed a card in a record system",
    "card.feedback": "Sent word on a card",
    "register.seen": "Read a register",
    "register.exported": "Took a register away as CSV",
    "week.seen": "Read what falls due",
    "people.searched": "Searched for a person",
    "identities.loaded": "Gave Upstream names and NHS numbers",
    "identities.sealed_again": "Changed the key that seals names",
    "reviews.seen": "Read the reviews of a person",
    "gap_status.set": "Set the status of a gap",
    "gap_status.taken_back": "Took back the status of a gap",
    "gap_statuses.seen": "Read what was said about a person's gaps",
    "review.recorded": "Recorded a review",
    "review.replaced": "Corrected a review",
    "review.repeated": "Sent a review again",
    "review.undone": "Undid a review",
    "draft.kept": "Filled in a review that is not recorded",
    "work.set": "Gave somebody to a colleague, or marked them for this week",
    "work.seen": "Read who a person was given to",
    "scores.requested": "Had people scored",
    "emergency.opened": "Opened a person in an emergency",
    "emergency.refused": "Asked for a person in an emergency, and was refused",
    "emergencies.seen": "Read the emergency access",
    "fhir.seen": "Asked over FHIR",
    "fhir.exported": "Took people away over FHIR",
    "digest.seen": "Read the weekly digest",
    "audit.seen": "Read this log",
    "exposure.read": "Took who had a place and was reviewed, for training",
    "month.read": "Took what the month's report of the model needs",
    "cases.seen": "Read the cases of a blind rating",
    "case.rated": "Rated a case without knowing who is listed",
    "incident.reported": "Reported an incident",
    "incidents.seen": "Read the reported incidents",
    "safety.reported": "Made a safety report of a period",
    "impact.read": "Took what the read-out of impact needs",
    "person.exported": "Took away all that is held about a person",
    "person.erased": "Erased a person",
    "nhs_key.rotated": "Changed the NHS number key",
    "retention.applied": "Deleted what was older than its retention",
    "text.sent": "Sent a text",
    "text.opened": "Opened a sealed text",
    "text.alerted": "Alerted a team to a reply with words of distress",
    "text.reply_received": "Received a reply by text",
    "text.reply_changed": "Took or closed a reply",
    "texts.seen": "Read the texts of a person",
    "text_inbox.seen": "Read a team's inbox of texts",
    "text_numbers.loaded": "Gave Upstream numbers and consents",
    "texts.exported": "Took away the texts of a person",
    "texts.erased": "Erased the texts of a person",
    "texts.deleted_old": "Deleted old texts",
    "person.not_visible": "Asked for a person they may not see",
    "team.not_visible": "Asked for a team they may not see",
    "team.not_listed": "Asked for a team that no list holds yet",
    "signed_in": "Signed in",
    "token.issued": "Made a token",
    "token.ended": "Ended a token",
    "session.ended": "Ended a session",
    "sign_in.without_role": "Tried to sign in without a role",
    "membership.began": "Put somebody in a team",
    "membership.ended": "Took somebody out of a team",
    "role.began": "Gave somebody a role",
    "role.ended": "Took a role from somebody",
    "run.published": "Published a list",
    "run.refused": "Did not publish a list: what arrived did not fit",
    "run.accepted": "Published a list that was refused, on a person's word",
}


@dataclass(frozen=True)
class AuditLine:
    """One event as the page says it."""

    event: Event
    at: dt.datetime
    who: str
    role: str
    what: str
    why: str
    people: list[str]
    more_people: int


@router.get("/audit")
async def audit_page(
    request: Request,
    caller: AuditorReader,
    service: Serving,
    actor: Actor = None,
    action: Action = None,
    patient_id: Text = "",
    named: Text = "",
    on: Text = "",
    on_day: Text = "",
    on_month: Text = "",
    on_year: Text = "",
    before: Before = None,
) -> Response:
    """Emergency access of today on top, then of earlier days, then the log. Empty fields of the form are no filter; a
    field that cannot be read is named at the top, and filters nothing."""
    audit = service.audit_for(caller, request)
    wrong = {}
    typed = DateParts(on_day, on_month, on_year)
    if typed.is_empty and _is_day(on):
        typed = DateParts.of(dt.date.fromisoformat(on))
    try:
        on = str(typed.read() or on)
    except ValueError:
        wrong["on"] = WHICH_DAY
    if on and not _is_day(on):
        wrong["on"] = WHICH_DAY
    if looks_like_one(patient_id):
        wrong["patient_id"] = "That is an NHS number: enter the person's number in Upstream instead"
    day, person = ("" if "on" in wrong else on), ("" if "patient_id" in wrong else patient_id.strip())
    asked = Asked(actor or None, action or None, person or None, day or None, before, named.strip() or None)
    emergencies, events = await service.reads.run(
        whole_log, service.database, audit, asked, EVENTS_A_PAGE, EMERGENCIES_SHOWN
    )
    now = dt.datetime.now(dt.UTC)
    kept = {"actor": actor, "action": action, "patient_id": person, "named": named, "on": day}

    def address(**changed: Any) -> str:
        return "/audit?" + urlencode({name: value for name, value in (kept | changed).items() if value})

    return page(
        request,
        "audit.html",
        surroundings=around(request, caller),
        today=[one for one in emergencies.items if one.granted_at.date() == now.date()],
        earlier=[one for one in emergencies.items if one.granted_at.date() != now.date()],
        total_emergencies=emergencies.total,
        is_open=lambda one: one.expires_at > now,
        lines=[line_of(event) for event in events.items],
        next_page=address(before=events.next_before) if events.next_before else "",
        asked=asked,
        actions=sorted(ACTIONS.items(), key=lambda pair: pair[1]),
        address=address,
        actor_name=next((event.actor_name for event in events.items if event.actor == actor), actor or ""),
        wrong=wrong,
        on_typed=typed,
        status=422 if wrong else 200,
    )


def _is_day(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)) and dt.date.fromisoformat(text) is not None
    except ValueError:
        return False


def line_of(event: Event) -> AuditLine:
    return AuditLine(
        event=event,
        at=dt.datetime.fromisoformat(event.at),
        who=event.actor_name or event.actor,
        role=ROLE_LABELS.get(event.role, event.role),  # type: ignore[call-overload]
        what=ACTIONS.get(event.action, event.action),
        why=_why(event),
        people=event.patient_ids[:PEOPLE_NAMED],
        more_people=max(0, len(event.patient_ids) - PEOPLE_NAMED),
    )


def _why(event: Event) -> str:
    """The reason given; if none was, that it was their own team."""
    detail = event.detail
    if event.action == "emergency.opened":
        return REASON_LABELS.get(detail.get("reason", ""), "no reason kept")
    if detail.get("emergency"):
        return "opened in an emergency"
    if "source" in detail:
        return f"on the word of {detail['source']}"
    if event.action.endswith("not_visible"):
        return "not theirs: nothing was shown"
    return "their own team" if event.patient_ids and event.role == "pharmacist" else ""


@router.get("/emergency-access")
async def emergency_page(request: Request, caller: PharmacistReader, service: Serving) -> Response:
    """The form that opens one person of another team."""
    return _form(request, caller)


@router.post("/emergency-access")
async def emergency_form(
    request: Request,
    caller: PharmacistReader,
    service: Serving,
    proof: Annotated[str, Form(max_length=128)] = "",
    patient_id: Annotated[str, Form(max_length=200)] = "",
    reason: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Opens the person for an hour and goes there. Faults are shown on the form; the input is not put into an
    address.
    """
    require_own_form(request, proof)
    patient_id = patient_id.strip()
    wrong = {}
    if not patient_id:
        wrong["patient_id"] = "Enter the person's number here, as a list of Upstream writes it"
    elif looks_like_one(patient_id):
        patient_id = ""
        wrong["patient_id"] = "That is an NHS number: enter the person's number in Upstream instead"
    if reason not in REASON_LABELS:
        wrong["reason"] = "Choose why you need to see this person now"
    if wrong:
        return _form(request, caller, patient_id, reason, wrong)
    audit = service.audit_for(caller, request)
    most = service.settings.emergencies_per_hour
    try:
        await service.reads.run(
            open_in_emergency, service.database, caller, audit, patient_id, reason, most_an_hour=most
        )
    except Problem as refused:
        if refused.status not in (404, 409):
            raise
        return _form(request, caller, patient_id, reason, {"patient_id": refused.detail})
    service.metrics.emergency()
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}", 303)


def _form(
    request: Request, caller: Any, patient_id: str = "", reason: str = "", wrong: dict[str, str] | None = None
) -> Response:
    return page(
        request,
        "emergency.html",
        surroundings=around(request, caller),
        status=422 if wrong else 200,
        reasons=REASON_LABELS,
        minutes=ACCESS_MINUTES,
        patient_id=patient_id,
        reason=reason,
        wrong=wrong or {},
    )
