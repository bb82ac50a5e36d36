"""Recording, correcting and undoing a review on the page.

Every form is answered with a redirect, also one that was refused: its answers wait sealed for their author, and the
page that follows shows them with what is wrong. So the browser's Back and Reload never send a form again, and an
ended session loses nothing.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from serving.access import SESSION_COOKIE, GuardedRoute, PeopleReader, require_own_form
from serving.auditlog.log import Audit, Look
from serving.drafts.service import GAP, REVIEW, WORK, drop_draft, find_drafts, keep_draft
from serving.http.problems import Problem, not_found, request_id_of
from serving.identity.callers import Caller
from serving.identity.ids import PersonId, with_slashes
from serving.people.service import show_person
from serving.reviews.endpoints import ReviewId
from serving.reviews.service import record_review, undo_review
from serving.security.tokens import ended_session
from serving.state import Service, Serving, service_of
from serving.web import after_sign_in
from serving.web.back_link import person_query, read_way_back
from serving.web.forms.gap_status_form import SentStatus
from serving.web.forms.review_form import ReviewForm, Wrong, review_fields
from serving.web.forms.two_windows import kept_for_author
from serving.web.rendering import around, page
from serving.web.work_pages import SentWork

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

MEANWHILE = {
    "already-replaced": "Somebody corrected or undid this review after you opened it. The newest version stands above "
    "your answers. Save again to put yours in its place",
    "idempotency-key-reused": "This form was recorded before, with other answers. Record it for a further review, or "
    "correct the one that is recorded",
}
"""What a form says that lost to another one, by the kind of problem."""
_FORM_OF = re.compile(r"/patients/([^/]+)/(reviews|work|gaps/([A-Z0-9_]{1,60})/status)")
LONGEST_FORM = 20_000


@router.post("/patients/{patient_id}/reviews")
async def review_form(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    answers: Annotated[ReviewForm, Form()],
) -> Response:
    """Record a review, or a correction of one, and come back to the person."""
    if (kept_before := await kept_for_author(request, caller, service, patient_id, answers, REVIEW)) is not None:
        return kept_before
    review, _ = answers.read()
    refused = "1"
    audit = service.audit_for(caller, request)
    if review is not None and len(answers.key) >= 8:
        try:
            await service.reads.run(record_review, service.database, caller, audit, patient_id, review, answers.key)
        except Problem as problem:
            if not problem.errors and problem.kind not in MEANWHILE:
                raise
            refused = "1" if problem.errors else problem.kind
        else:
            await service.reads.run(drop_draft, service.database, service.sealer, caller, patient_id)
            return _to_person(patient_id, answers, "reviews", recorded="corrected" if review.replaces else 1)
    kept = await service.reads.run(
        keep_draft, service.database, service.sealer, caller, audit, patient_id, answers.kept
    )
    if not kept:
        await service.reads.run(audit.record, Look("person.not_visible", (patient_id,)))
        raise not_found()
    if answers.replaces:
        return RedirectResponse(_edit_address(patient_id, answers, refused), 303)
    return _to_person(patient_id, answers, "", refused=refused)


@router.get("/patients/{patient_id}/reviews/{review_id}/edit")
async def edit(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    review_id: ReviewId,
    refused: str = "",
    view: str = "",
    back: str = "",
) -> Response:
    """The form of the newest version of a review, filled in as it was, or as its author last sent it."""
    audit = service.audit_for(caller, request)
    person = await service.reads.run(show_person, service.database, caller, audit, patient_id)
    versions = {one.review_id: one for one in person.review_versions}
    old = versions.get(review_id)
    while old is not None and old.replaced_by is not None:
        old = versions.get(old.replaced_by)
    if old is None or person.emergency:
        raise not_found()
    answers = await draft_of(service, caller, patient_id, replaces=review_id) or ReviewForm.of(old)
    wrong = wrong_with(answers, refused)
    # A correction of a version that somebody replaced meanwhile becomes one of the newest.
    answers = answers.model_copy(update={"replaces": old.review_id})
    return page(
        request,
        "review_edit.html",
        surroundings=around(request, caller, person.run),
        person=person,
        review=old,
        form=review_fields(answers, wrong, [(gap.code, gap.title) for gap in person.gaps]),
        view=view[:80],
        back=read_way_back(back),
    )


@router.post("/patients/{patient_id}/reviews/{review_id}/undo")
async def undo(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    review_id: ReviewId,
    answers: Annotated[ReviewForm, Form()],
) -> Response:
    """Undoes a review and returns to the person."""
    require_own_form(request, answers.proof)
    audit = service.audit_for(caller, request)
    await service.reads.run(undo_review, service.database, caller, audit, patient_id, review_id)
    return _to_person(patient_id, answers, "reviews", recorded="undone")


@router.post("/patients/{patient_id}/reviews/draft/drop")
async def drop(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    answers: Annotated[ReviewForm, Form()],
) -> Response:
    """Deletes the caller's own draft."""
    require_own_form(request, answers.proof)
    await service.reads.run(drop_draft, service.database, service.sealer, caller, patient_id)
    return _to_person(patient_id, answers, "reviews")


async def draft_of(service: Service, caller: Caller, patient_id: str, replaces: str = "") -> ReviewForm | None:
    """The caller's own draft of a new review of a person, or of a correction; None if there is none."""
    found = (await drafts_of(service, caller, patient_id)).get(REVIEW)
    return review_draft(found, replaces)


async def drafts_of(service: Service, caller: Caller, patient_id: str) -> dict[str, dict[str, Any]]:
    """All that the caller filled in about a person and did not record, by form."""
    return await service.reads.run(find_drafts, service.database, service.sealer, caller, patient_id)


def wrong_with(answers: ReviewForm, refused: str) -> list[Wrong]:
    """What is wrong with answers that were refused; nothing where they were not."""
    if refused in MEANWHILE:
        return [Wrong("actions", MEANWHILE[refused])]
    return answers.read()[1] if refused else []


def review_draft(found: dict[str, Any] | None, replaces: str = "") -> ReviewForm | None:
    """A kept review as its form."""
    if found is None or found.get("replaces", "") != replaces:
        return None
    try:
        return ReviewForm.model_validate(found)
    except ValidationError:  # of an earlier release, whose form was another
        return None


async def session_ended(request: Request) -> Response:
    """Redirects to the sign-in page. A form about a person that was sent after its session ended is kept for its
    author."""
    service, secret = service_of(request), request.cookies.get(SESSION_COOKIE, "")
    caller = await service.reads.run(ended_session, service.database, secret) if secret else None
    if request.method != "POST" or caller is None:
        return after_sign_in.to_sign_in(request, caller.person if caller else "", lost=request.method == "POST")
    found = _FORM_OF.fullmatch(request.scope["path"])
    kept = found is not None and await _keep(request, service, caller, with_slashes(found[1]), found[2], found[3])
    return after_sign_in.to_sign_in(request, caller.person, kept=kept, lost=not kept)


async def _keep(
    request: Request, service: Service, caller: Caller, patient_id: str, form_name: str, code: str | None
) -> bool:
    if int(request.headers.get("content-length") or LONGEST_FORM + 1) > LONGEST_FORM:
        return False
    kind: type[ReviewForm | SentWork | SentStatus]
    kind, form = SentStatus, f"{GAP}{code}"
    if form_name == "reviews":
        kind, form = ReviewForm, REVIEW
    elif form_name == "work":
        kind, form = SentWork, WORK
    filled = await request.form(max_files=0, max_fields=100)
    sent: dict[str, Any] = {name: value for name, value in filled.items() if name in kind.model_fields}
    sent |= {name: filled.getlist(name) for name in ("actions", "notes") if name in kind.model_fields}
    try:
        answers = kind.model_validate(sent)
        require_own_form(request, answers.proof)
    except (ValidationError, Problem):
        return False
    audit = Audit.of(service.database, caller, request_id_of(request.scope))
    return await service.reads.run(
        keep_draft, service.database, service.sealer, caller, audit, patient_id, answers.kept, form
    )


def _to_person(patient_id: str, answers: ReviewForm, part: str, **more: Any) -> RedirectResponse:
    query = person_query(answers.view, read_way_back(answers.back), **more)
    place = f"#{part}" if part else ""
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}?{query}{place}", 303)


def _edit_address(patient_id: str, answers: ReviewForm, refused: str) -> str:
    query = person_query(answers.view, read_way_back(answers.back), refused=refused)
    return f"/patients/{quote(patient_id, safe='')}/reviews/{quote(answers.replaces, safe='')}/edit?{query}"
