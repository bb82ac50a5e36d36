"""``/help``, ``/glossary`` and ``/digest``."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.access import AnyReader, GuardedRoute, PeopleReader
from serving.digest.schemas import Digest
from serving.digest.service import weekly_digest
from serving.state import Serving
from serving.web.help.words import GLOSSARY, HELP
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/help")
async def help_page(request: Request, caller: AnyReader) -> Response:
    """What each page is for, and whom to ask."""
    return page(request, "help.html", surroundings=around(request, caller), sections=HELP)


@router.get("/glossary")
async def glossary(request: Request, caller: AnyReader) -> Response:
    """What the words on the pages mean."""
    return page(request, "glossary.html", surroundings=around(request, caller), terms=GLOSSARY)


@router.get("/digest.json")
async def digest_json(request: Request, caller: PeopleReader, service: Serving) -> Digest:
    """The same as JSON, for a report of one's own; ``upstream digest --json`` writes that of every team."""
    return await service.reads.run(weekly_digest, service.database, caller, service.audit_for(caller, request))


@router.get("/digest")
async def digest(request: Request, caller: PeopleReader, service: Serving) -> Response:
    """The week of the caller's teams, in counts."""
    audit = service.audit_for(caller, request)
    found = await service.reads.run(weekly_digest, service.database, caller, audit)
    return page(request, "digest.html", surroundings=around(request, caller), digest=found)
