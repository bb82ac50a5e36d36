"""``/teams``: one list over all of the caller's teams."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.access import GuardedRoute, PeopleReader
from serving.messages.service import unread_distress
from serving.state import Serving
from serving.web.lists.list_page import list_page, names_for
from serving.worklists.endpoints import Filtering, Horizon, Limit, Offset, Outcome, View, viewed
from serving.worklists.joint import joint_worklist
from serving.worklists.ranking import Ranking
from serving.worklists.schemas import DEFAULT_LIMIT, Sorting

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/teams")
async def all_teams(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    filtering: Filtering,
    view: View = None,
    outcome: Outcome = None,
    horizon: Horizon = None,
    ranking: Ranking | None = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
    sort: Sorting | Literal[""] | None = None,
) -> Response:
    """Everybody of the caller's teams, ranked once; each team keeps its own line."""
    outcome, horizon = viewed(view, outcome, horizon)
    joint = await service.reads.run(
        joint_worklist,
        service.database,
        caller,
        service.page_audit_for(caller, request),
        outcome=outcome,
        horizon=horizon,
        ranking=ranking,
        filters=filtering,
        limit=limit,
        offset=offset,
        sort=sort or None,
        names=names_for(service, caller),
    )
    distress = 0
    if service.settings.texting.is_on:
        for team in joint.teams:
            distress += await service.reads.run(unread_distress, service.database, caller, team.team_id)
    return await list_page(request, caller, service, joint.worklist, sort or None, joint=joint, text_distress=distress)
