"""``GET /v1/teams``, ``GET /v1/teams/{team_id}/worklist`` and the same as ``.csv``, which has a twin among the
pages."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BeforeValidator

from features.records.reading.ids import clean_id
from serving.access import PeopleCaller, PharmacistCaller, PharmacistReader
from serving.http.etag import NOT_MODIFIED, answer
from serving.identity.callers import Caller
from serving.identity.ids import with_slashes
from serving.state import Service, Serving
from serving.worklists.export import export_worklist
from serving.worklists.ranking import Ranking
from serving.worklists.schemas import DEFAULT_LIMIT, MAX_LIMIT, Filters, Reviewed, Teams, Worklist, WorkOf
from serving.worklists.service import list_teams, team_worklist

router = APIRouter(tags=["worklists"])
pages = APIRouter(include_in_schema=False)

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
TeamId = Annotated[str, BeforeValidator(with_slashes), AfterValidator(clean_id), Path(min_length=1, max_length=200)]
Outcome = Annotated[str | None, Query(max_length=64, examples=["admission"])]
Horizon = Annotated[int | None, Query(ge=1, le=3_650, description="days", examples=[90])]
# One field holds both, so that a plain form can offer only pairs that exist.
View = Annotated[str | None, Query(max_length=80)]
Word = Annotated[str | None, Query(max_length=200)]


async def filters(
    gap: Word = None,
    reason: Word = None,
    medicine: Word = None,
    reviewed: Reviewed | Literal[""] | None = None,
    work: WorkOf | Literal[""] | None = None,
) -> Filters:
    """An empty choice of a form means no filter."""
    given = {"gap": gap, "reason": reason, "medicine": medicine, "reviewed": reviewed, "work": work}
    return Filters.model_validate({name: value or None for name, value in given.items()})


Filtering = Annotated[Filters, Depends(filters)]


@router.get("/v1/teams")
async def teams(
    request: Request, caller: PeopleCaller, service: Serving, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Teams:
    """The teams this caller may see."""
    audit = service.audit_for(caller, request)
    return await service.reads.run(list_teams, service.database, caller, audit, limit, offset)


@router.get("/v1/teams/{team_id}/worklist", response_model=Worklist, responses=NOT_MODIFIED)
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
) -> Response:
    """Everybody on a team's caseload, ranked. Capacity draws a line and drops nobody. Filters hide rows; ranks do not
    change."""
    found = await service.reads.run(
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
    return answer(request, found)


@router.get(
    "/v1/teams/{team_id}/worklist.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def worklist_csv(
    request: Request,
    caller: PharmacistCaller,
    service: Serving,
    team_id: TeamId,
    filtering: Filtering,
    outcome: Outcome = None,
    horizon: Horizon = None,
    ranking: Ranking | None = None,
) -> Response:
    """The whole list as a file, for the team lead. Everybody on it is named in the audit log."""
    return await _exported(request, caller, service, team_id, filtering, outcome, horizon, ranking)


@pages.get("/teams/{team_id}/worklist.csv")
async def worklist_csv_page(
    request: Request,
    caller: PharmacistReader,
    service: Serving,
    team_id: TeamId,
    filtering: Filtering,
    view: View = None,
    outcome: Outcome = None,
    horizon: Horizon = None,
    ranking: Ranking | None = None,
    names: Literal["yes", ""] = "",
) -> Response:
    """The same for a browser; with names where they are asked for."""
    outcome, horizon = viewed(view, outcome, horizon)
    return await _exported(request, caller, service, team_id, filtering, outcome, horizon, ranking, bool(names))


async def _exported(
    request: Request,
    caller: Caller,
    service: Service,
    team_id: str,
    filtering: Filters,
    outcome: str | None,
    horizon: int | None,
    ranking: Ranking | None,
    names: bool = False,
) -> Response:
    return await service.reads.run(
        export_worklist,
        service.database,
        caller,
        service.page_audit_for(caller, request) if names else service.audit_for(caller, request),
        team_id,
        outcome=outcome,
        horizon=horizon,
        ranking=ranking,
        filters=filtering,
        keys=service.identity_keys if names else None,
    )


def viewed(view: str | None, outcome: str | None, horizon: int | None) -> tuple[str | None, int | None]:
    """``admission-90`` as its two parts; anything unreadable is left for the rules to refuse."""
    if not view:
        return outcome, horizon
    name, _, number = view.rpartition("-")
    return (name or "unknown", int(number) if number.isdecimal() else 0)
