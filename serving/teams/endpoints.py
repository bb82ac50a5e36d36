"""``GET /v1/teams/{team_id}/overview``."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request

from serving.access import PeopleCaller
from serving.state import Serving
from serving.teams.schemas import TeamOverview
from serving.teams.service import team_overview
from serving.worklists.endpoints import TeamId

router = APIRouter(tags=["worklists"])


@router.get("/v1/teams/{team_id}/overview")
async def overview(request: Request, caller: PeopleCaller, service: Serving, team_id: TeamId) -> TeamOverview:
    """A team as a whole: changes of its list, overdue or missing care by kind, reviews against capacity, who is
    unseen for longest, how fresh each source is, and which groups places and reviews reach.
    """
    audit = service.audit_for(caller, request)
    return await service.reads.run(team_overview, service.database, caller, audit, team_id, dt.datetime.now(dt.UTC))
