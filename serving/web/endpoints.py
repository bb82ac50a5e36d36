"""The pages: ``/``, ``/sign-in``, ``/sign-out``, ``/teams/{team_id}`` and ``/patients/{patient_id}``.

Each calls what the JSON calls.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from serving.access import (
    MARK_COOKIE,
    SESSION_COOKIE,
    AnyReader,
    GuardedRoute,
    PeopleReader,
    as_stranger,
    end_replaced_session,
    require_own_form,
    set_session_cookie,
)
from serving.auditing.case_ratings import has_cases
from serving.auditlog.log import Look
from serving.drafts.service import GAP, REVIEW, WORK
from serving.http.problems import not_found
from serving.identities.service import names_of
from serving.identity.callers import Caller
from serving.identity.ids import PersonId
from serving.messages.service import unread_distress
from serving.operations.service import readiness, version
from serving.people.schemas import Person
from serving.people.service import find_person
from serving.runs.repository import current_run, newest_refusal
from serving.runs.schemas import STALE_DAYS, RunInfo
from serving.security.tokens import SESSION_HOURS, revoke_token, session_person
from serving.state import Service, Serving
from serving.teams.service import people_named, team_overview
from serving.web import after_sign_in, review_pages, sign_in, work_pages
from serving.web.back_link import is_over_all, list_address, person_query, read_view, read_way_back
from serving.web.forms import gap_status_form
from serving.web.forms.review_form import ReviewForm, Wrong, review_fields
from serving.web.identities.record_link import record_link
from serving.web.lists.list_page import list_page, names_for
from serving.web.lists.list_query import Asked
from serving.web.person_view import drawn_year, explain
from serving.web.rendering import around, page
from serving.web.review_pages import drafts_of, review_draft
from serving.web.texts.invite import invite_form
from serving.worklists.changes.service import gone
from serving.worklists.endpoints import Horizon, Outcome, TeamId, View, viewed
from serving.worklists.joint import ALL_TEAMS, joint_neighbours
from serving.worklists.ordering import ListedAs, unknown_horizon
from serving.worklists.schemas import MAX_LIMIT, Teams
from serving.worklists.service import (
    Neighbours,
    is_listed,
    list_teams,
    neighbours,
    team_worklist,
)

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/")
async def home(request: Request, caller: AnyReader, service: Serving) -> Response:
    """My teams; for a role that sees no people, the served model."""
    found: Teams | None = None
    if caller.sees_people:
        audit = service.audit_for(caller, request)
        found = await service.reads.run(list_teams, service.database, caller, audit, MAX_LIMIT, 0)
    run = found.run if found else await service.reads.run(_run, service)
    return page(
        request,
        "home.html",
        surroundings=around(request, caller, run),
        teams=found,
        model=service.live.current,
        to_rate=await service.reads.run(has_cases, service.settings.home, caller),
    )


@router.get("/teams/{team_id}")
async def team(request: Request, caller: PeopleReader, service: Serving, team_id: TeamId, asked: Asked) -> Response:
    """A team's worklist. Its filters, order and page are all in the address, so it can be saved and sent."""
    audit = service.page_audit_for(caller, request)

    if not await service.reads.run(is_listed, service.database, caller, audit, team_id):
        run = await service.reads.run(_run, service)
        return page(request, "no_list.html", surroundings=around(request, caller, run), status=404)
    found = await service.reads.run(
        team_worklist,
        service.database,
        caller,
        audit,
        team_id,
        outcome=asked.outcome,
        horizon=asked.horizon,
        ranking=asked.ranking,
        filters=asked.filters,
        limit=asked.limit,
        offset=asked.offset,
        sort=asked.sort,
        names=names_for(service, caller),
        explained=False,
    )

    distress = 0
    if service.settings.texting.is_on:
        distress = await service.reads.run(unread_distress, service.database, caller, team_id)
    return await list_page(
        request, caller, service, found, asked.sort, text_distress=distress, invite=invite_form(service)
    )


@router.get("/teams/{team_id}/overview")
async def overview(request: Request, caller: PeopleReader, service: Serving, team_id: TeamId) -> Response:
    """A team as a whole, for its lead."""
    audit = service.audit_for(caller, request)
    if not await service.reads.run(is_listed, service.database, caller, audit, team_id):
        run = await service.reads.run(_run, service)
        return page(request, "no_list.html", surroundings=around(request, caller, run), status=404)
    now = dt.datetime.now(dt.UTC)
    found = await service.reads.run(team_overview, service.database, caller, audit, team_id, now)
    keys, named = service.identity_keys, people_named(found)
    names = await service.reads.run(names_of, service.database, caller, keys, named)
    return page(request, "team.html", surroundings=around(request, caller, found.run), overview=found, names=names)


@router.get("/model")
async def model(request: Request, caller: AnyReader, service: Serving) -> Response:
    """The model card: what the model is for, what it is not for, what it learned from and how well it did."""
    run = await service.reads.run(_run, service)
    surroundings = around(request, caller, run)
    return page(request, "model.html", surroundings=surroundings, model=service.live.current)


@router.get("/status")
async def status(request: Request, caller: AnyReader, service: Serving) -> Response:
    """Whether the service is ready, how old the list is, and what to do if something is wrong."""
    ready = await service.reads.run(readiness, service)
    run = await service.reads.run(_run, service)
    surroundings = around(request, caller, run)
    return page(
        request,
        "status.html",
        surroundings=surroundings,
        ready=ready,
        about=version(service),
        refusal=await service.reads.run(_refusal, service),
        stale_days=STALE_DAYS,
    )


@router.get("/patients/{patient_id}")
async def person(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    patient_id: PersonId,
    view: View = None,
    outcome: Outcome = None,
    horizon: Horizon = None,
    back: str = "",
) -> Response:
    """One person. ``back`` is the query string of the list they were opened from."""
    opened = dt.datetime.now(dt.UTC)
    drafts = await drafts_of(service, caller, patient_id)
    draft = review_draft(drafts.get(REVIEW))
    answers = draft or ReviewForm()
    wrong = review_pages.wrong_with(answers, request.query_params.get("refused", "")) if draft else []
    answers = answers.model_copy(update={"back": read_way_back(back)})
    return await _person_page(
        request,
        caller,
        service,
        patient_id,
        *viewed(view, outcome, horizon),
        answers,
        wrong,
        drafts=drafts,
        opened=opened.isoformat(),
    )


async def _person_page(
    request: Request,
    caller: Caller,
    service: Service,
    patient_id: str,
    outcome: str | None,
    horizon: int | None,
    answers: ReviewForm,
    wrong: Sequence[Wrong] = (),
    *,
    drafts: Mapping[str, dict[str, Any]],
    opened: str,
) -> Response:
    audit = service.page_audit_for(caller, request)
    demo = await service.reads.run(sign_in.demo_pharmacists, service)
    found = await service.reads.run(find_person, service.database, caller, audit, patient_id, demo)
    if found is None:
        left = await service.reads.run(gone, service.database, caller, audit, patient_id)
        if left is None:
            await service.reads.run(audit.record, Look("person.not_visible", patient_ids=(patient_id,)))
            raise not_found()
        run = await service.reads.run(_run, service)
        return page(request, "left.html", surroundings=around(request, caller, run), status=404, left=left)
    chosen = found.run.chosen(outcome, horizon)
    if chosen is None:
        raise unknown_horizon(found.run)
    names = await service.reads.run(names_of, service.database, caller, service.identity_keys, [patient_id])
    return page(
        request,
        "person.html",
        surroundings=around(request, caller, found.run),
        person=found,
        who=names.get(patient_id),
        beside=await _beside(service, caller, found, chosen, answers.back),
        record_link=record_link(service.settings.record_link, patient_id, names.get(patient_id)),
        explained=explain(found, *chosen),
        year=drawn_year(found),
        form=review_fields(answers, wrong, [(gap.code, gap.title) for gap in found.gaps]),
        has_draft=review_draft(drafts.get(REVIEW)) is not None,
        opened=opened,
        work_draft=drafts.get(WORK),
        status_drafts={form.removeprefix(GAP): one for form, one in drafts.items() if form.startswith(GAP)},
        status_of=request.query_params.get("status_of", ""),
        recorded=request.query_params.get("recorded", ""),
        work_set=request.query_params.get("work_set", ""),
        work_wrong=work_pages.WRONG.get(request.query_params.get("work_wrong", ""), ""),
        work_notes=work_pages.NOTES,
        status_set=request.query_params.get("status_set", ""),
        status_wrong=gap_status_form.WRONG.get(request.query_params.get("status_wrong", ""), ""),
        status_wrong_date=request.query_params.get("status_wrong", "") in gap_status_form.OF_THE_DATE,
        status_choices=gap_status_form.CHOICES,
        status_reasons=gap_status_form.REASONS,
        back=read_way_back(answers.back),
        list_address=list_address(found.team.team_id, f"{chosen[0]}-{chosen[1]}", read_way_back(answers.back)),
        list_name=ALL_TEAMS if is_over_all(answers.back) else found.team.name,
        person_query=person_query,
    )


async def _beside(
    service: Service, caller: Caller, found: Person, chosen: tuple[str, int], back: str
) -> Neighbours | None:
    """The people before and after on the list that the person was opened from; none for somebody opened in an
    emergency."""
    view = read_view(back)
    if found.emergency or view is None:
        return None
    as_listed = ListedAs(chosen, view.ranking, view.filters, view.sort, names_for(service, caller))
    if view.over:
        return await service.reads.run(joint_neighbours, service.database, caller, found.patient_id, as_listed)
    return await service.reads.run(
        neighbours, service.database, caller, found.patient_id, found.team.team_id, as_listed
    )


@router.get("/sign-in")
async def sign_in_page(request: Request, service: Serving) -> Response:
    """Choose a role of the demo, or read how production signs in."""
    is_open = sign_in.is_open(request) and not await service.reads.run(sign_in.shows_real_people, service.database)
    choices = await service.reads.run(sign_in.choices, service.database) if is_open else []
    run = await service.reads.run(_run, service)
    return page(
        request,
        "sign_in.html",
        surroundings=around(request, None, run),
        is_open=is_open,
        kept="kept" in request.query_params,
        lost="lost" in request.query_params,
        choices=choices,
        providers=service.issuers.with_sign_in,
        session_hours=SESSION_HOURS,
        idle_minutes=f"{service.settings.session_idle_minutes:g}",
    )


@router.post("/sign-in", dependencies=[Depends(as_stranger)])
async def sign_in_form(request: Request, service: Serving, choice: Annotated[str, Form(max_length=300)]) -> Response:
    """Start a session of the demo."""
    sign_in.require_open(request)
    secret = await service.reads.run(sign_in.open_session, service, choice)
    await service.reads.run(end_replaced_session, request, service.database)
    person = await service.reads.run(session_person, service.database, secret)
    answer = after_sign_in.forget(request, RedirectResponse(after_sign_in.next_page(request, person), 303))
    set_session_cookie(answer, secret, secure=request.url.scheme == "https")
    return answer


@router.post("/sign-out")
async def sign_out(
    request: Request, caller: AnyReader, service: Serving, proof: Annotated[str, Form(max_length=128)]
) -> Response:
    """End the session now, on the server too."""
    require_own_form(request, proof)
    secret = request.cookies[SESSION_COOKIE]
    await service.reads.run(revoke_token, service.database, secret)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    answer.delete_cookie(MARK_COOKIE, httponly=True, samesite="lax")
    return answer


def _refusal(service: Service) -> Any:
    with service.database.read() as connection:
        return newest_refusal(connection)


def _run(service: Service) -> RunInfo | None:
    with service.database.read() as connection:
        run = current_run(connection)
    return RunInfo.of(run) if run is not None else None
