"""Draws a list: the same page for one team and for all teams of the caller together."""

from __future__ import annotations

from functools import partial
from typing import Literal
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import Response

from serving.identities.service import named_of, names_of
from serving.identity.callers import Caller
from serving.saved_filters.service import saved_filters_of
from serving.state import Service
from serving.web.back_link import person_query, way_back
from serving.web.forms.filter_form import filter_fields
from serving.web.lists.saved_pages import filter_query, said_wrong
from serving.web.rendering import around, page
from serving.web.texts.invite import InviteForm
from serving.worklists.joint import JointList
from serving.worklists.ordering import NamesFor
from serving.worklists.schemas import MAX_LIMIT, Sorting, Worklist
from serving.worklists.service import shown_on


def names_for(service: Service, caller: Caller) -> NamesFor:
    """The names by which a list is sorted."""
    return partial(named_of, service.database, caller, service.identity_keys)


async def list_page(
    request: Request,
    caller: Caller,
    service: Service,
    found: Worklist,
    sort: Sorting | None,
    *,
    joint: JointList | None = None,
    text_distress: int = 0,
    invite: InviteForm | None = None,
) -> Response:
    """The page of ``found``. Its filters, order and page are all in the address, so it can be saved and sent."""
    view = f"{found.outcome}-{found.horizon_days}"
    kept = {"view": view, "ranking": found.ranking.value, "sort": sort or "", **found.filters.given}

    def address(**changed: object) -> str:
        paged = {"limit": found.limit, "offset": found.offset}
        return "?" + urlencode({name: value for name, value in (kept | paged | changed).items() if value != ""})

    over: Literal["all"] | None = "all" if joint is not None else None
    return page(
        request,
        "worklist.html",
        surroundings=around(request, caller, found.run),
        list=found,
        joint=joint,
        filters=filter_fields(found.filters, found.choices),
        address=address,
        opened=person_query(view, way_back(found, sort, over)),
        sort=sort or "",
        most=MAX_LIMIT,
        names=await service.reads.run(names_of, service.database, caller, service.identity_keys, shown_on(found)),
        text_distress=text_distress,
        invite=invite,
        saved=await service.reads.run(saved_filters_of, service.database, caller),
        saved_note=request.query_params.get("saved", ""),
        saved_wrong=said_wrong(request.query_params.get("saved_wrong", "")),
        to_save=filter_query(urlencode({name: value for name, value in kept.items() if value})),
    )
