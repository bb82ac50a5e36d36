"""``/registers/{register}``, its CSV, and ``/this-week``: over one team or all of the caller's."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access import GuardedRoute, PeopleReader, PharmacistReader
from serving.identities.service import named_of, names_of
from serving.registers.export import register_csv, require_lead
from serving.registers.schemas import HEADINGS, RegisterName, RegisterSort, RegisterStatus
from serving.registers.service import show_register, show_week
from serving.state import Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

TeamChosen = Annotated[str, Query(max_length=200)]
STATUSES = {
    RegisterStatus.GAP: "With something overdue or missing",
    RegisterStatus.DUE: "Due within 14 days, or before",
    RegisterStatus.NO_GAP: "Nothing overdue found",
}


@router.get("/registers/{register}.csv")
async def register_file(
    request: Request,
    caller: PharmacistReader,
    service: Serving,
    register: RegisterName,
    team: TeamChosen = "",
    status: RegisterStatus | Literal[""] = "",
    sort: RegisterSort = RegisterSort.NEXT,
    names: Literal["yes", ""] = "",
) -> Response:
    """The register as a file, for the lead of its teams; with names where they are asked for."""
    require_lead(caller, [team] if team else sorted(caller.team_ids or ()))
    audit = service.page_audit_for(caller, request) if names else service.audit_for(caller, request)
    found = await service.reads.run(
        show_register,
        service.database,
        caller,
        audit,
        register,
        team_id=team,
        status=status or None,
        sort=sort,
        names=partial(named_of, service.database, caller, service.identity_keys),
        action="register.exported",
    )
    who = None
    if names:
        shown = [entry.patient_id for entry in found.items]
        who = await service.reads.run(names_of, service.database, caller, service.identity_keys, shown)
    headers = {"Content-Disposition": f'attachment; filename="register-{register.value}-{found.run.as_of}.csv"'}
    return Response(register_csv(found, who), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/registers/{register}")
async def register_page(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    register: RegisterName,
    team: TeamChosen = "",
    status: RegisterStatus | Literal[""] = "",
    sort: RegisterSort = RegisterSort.NEXT,
) -> Response:
    """One register, one row a person."""
    audit = service.page_audit_for(caller, request)
    found = await service.reads.run(
        show_register,
        service.database,
        caller,
        audit,
        register,
        team_id=team,
        status=status or None,
        sort=sort,
        names=partial(named_of, service.database, caller, service.identity_keys),
    )
    shown = [entry.patient_id for entry in found.items]
    names = await service.reads.run(names_of, service.database, caller, service.identity_keys, shown)
    given = {"team": team, "status": status, "sort": "" if sort is RegisterSort.NEXT else sort.value}

    def address(**changed: str) -> str:
        return "?" + urlencode({name: value for name, value in (given | changed).items() if value})

    led = {one.team_id for one in found.teams} if not team else {team}
    return page(
        request,
        "register.html",
        surroundings=around(request, caller, found.run),
        found=found,
        names=names,
        registers=[(name.value, headings.title) for name, headings in HEADINGS.items()],
        statuses=[(one.value, words) for one, words in STATUSES.items()],
        cut_to=status,
        sort=sort.value,
        address=address,
        may_export=led <= set(caller.leads),
    )


@router.get("/this-week")
async def week_page(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    team: TeamChosen = "",
    days: Annotated[int, Query(ge=1, le=14)] = 7,
) -> Response:
    """What falls due in the next 7 or 14 days, by day."""
    audit = service.page_audit_for(caller, request)
    found = await service.reads.run(show_week, service.database, caller, audit, team_id=team, days=days)
    shown = list(dict.fromkeys(one.patient_id for day in found.by_day for one in (*day.items, *day.supplies)))
    return page(
        request,
        "week.html",
        surroundings=around(request, caller, found.run),
        found=found,
        names=await service.reads.run(names_of, service.database, caller, service.identity_keys, shown),
    )
