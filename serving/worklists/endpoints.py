"""``GET /v1/teams`` and ``GET /v1/teams/{team_id}/worklist``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from serving.context import Serving
from serving.security.requests import PeopleCaller
from serving.worklists.listing import Ranking
from serving.worklists.schemas import DEFAULT_LIMIT, MAX_LIMIT, Filters, Reviewed, Teams, Worklist
from serving.worklists.service import list_teams, team_worklist

router = APIRouter(tags=["worklists"])

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
TeamId = Annotated[str, Path(min_length=1, max_length=200)]
Outcome = Annotated[str | None, Query(max_length=64)]
Horizon = Annotated[int | None, Query(ge=1, le=3_650, description="days")]
Word = Annotated[str | None, Query(max_length=200)]


def filters(
    gap: Word = None, reason: Word = None, medicine: Word = None, reviewed: Reviewed | Literal[""] | None = None
) -> Filters:
    """An empty choice of a form is none."""
    return Filters(gap=gap or None, reason=reason or None, medicine=medicine or None, reviewed=reviewed or None)


Filtering = Annotated[Filters, Depends(filters)]


@router.get("/v1/teams")
async def teams(
    request: Request, caller: PeopleCaller, service: Serving, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Teams:
    """The teams this caller may see."""
    audit = service.audit_for(caller, request)
    return await service.reads.run(list_teams, service.database, caller, audit, limit, offset)


@router.get("/v1/teams/{team_id}/worklist")
async def worklist(
    request: Request,
    caller: PeopleCaller,
    service: Serving,
    team_id: TeamId,
    filtering: Filtering,
    outcome: Outcome = None,
    horizon: Horizon = None,
    ranking: Ranking | None = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Worklist:
    """Everybody on a team's caseload, ranked. Capacity draws a line; it drops nobody. Filters cut what is shown, not the places."""
    return await service.reads.run(
        team_worklist,
        service.database,
        caller,
        service.audit_for(caller, request),
        team_id,
        outcome=outcome,
        horizon=horizon,
        ranking=ranking,
        filters=filtering,
        limit=limit,
        offset=offset,
    )
