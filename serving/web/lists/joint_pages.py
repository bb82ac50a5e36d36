"""``/teams``: one list over all of the caller's teams."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.access import GuardedRoute, PeopleReader
from serving.messages.service import unread_distress
from serving.state import Serving
from serving.web.lists.list_page import list_page, names_for
from serving.web.lists.list_query import Asked
from serving.worklists.joint import joint_worklist

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/teams")
async def all_teams(request: Request, caller: PeopleReader, service: Serving, asked: Asked) -> Response:
    """Everybody of the caller's teams, ranked once; each team keeps its own line."""
    joint = await service.reads.run(
        joint_worklist,
        service.database,
        caller,
        service.page_audit_for(caller, request),
        outcome=asked.outcome,
        horizon=asked.horizon,
        ranking=asked.ranking,
        filters=asked.filters,
        limit=asked.limit,
        offset=asked.offset,
        sort=asked.sort,
        names=names_for(service, caller),
    )
    distress = 0
    if service.settings.texting.is_on:
        for team in joint.teams:
            distress += await service.reads.run(unread_distress, service.database, caller, team.team_id)
    return await list_page(request, caller, service, joint.worklist, asked.sort, joint=joint, text_distress=distress)
