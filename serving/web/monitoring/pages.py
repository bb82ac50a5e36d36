"""``/monitoring`` for the team that owns the model: events against expected ones, drift, feeds, an estimate before
outcomes are known, and what was changed. It holds counts and no person.
"""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.access import GuardedRoute, ModelOwnerReader
from serving.operations.endpoints import monitor
from serving.operations.month_reports import newest_report
from serving.runs.repository import newest_refusal
from serving.state import Service, Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/monitoring")
async def monitoring_page(request: Request, caller: ModelOwnerReader, service: Serving) -> Response:
    """The newest month's report, and the drift of the published list as it is now."""
    found = await service.reads.run(newest_report, service.settings.home)
    return page(
        request,
        "monitoring.html",
        surroundings=around(request, caller),
        found=found,
        it=found.report,
        old=found.is_old(dt.date.today()),
        drifted=await service.reads.run(monitor.drift_of, service),
        refusal=await service.reads.run(_refusal, service),
    )


def _refusal(service: Service) -> object:
    with service.database.read() as connection:
        return newest_refusal(connection)
