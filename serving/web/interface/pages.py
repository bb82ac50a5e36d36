"""``/docs``: the interface as Swagger UI shows it. Open to anybody, as ``/openapi.json`` is; it holds nothing about
people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.access import GuardedRoute
from serving.web.interface import assets
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/docs")
async def interface(request: Request) -> Response:
    """The interactive page, or where its files are not installed a plain page that says so."""
    installed = assets.are_installed()
    return page(request, "interface.html", surroundings=around(request), installed=installed)
