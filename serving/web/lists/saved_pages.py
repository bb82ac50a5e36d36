"""Saving a filter of the list under a name, and deleting one. Both are plain forms, answered with a redirect."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qs, quote, urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse

from serving.access import GuardedRoute, PeopleReader, require_own_form
from serving.saved_filters.service import LONGEST_NAME, MOST, Fault, NotSaved, delete_filter, save_filter
from serving.state import Serving
from serving.web.back_link import MAX_LENGTH, ListView, read_view

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

WRONG = {
    Fault.EMPTY: "Enter a name for this filter",
    Fault.NAME: f"Use a name of at most {LONGEST_NAME} letters, numbers and spaces",
    Fault.ABOUT_A_PERSON: "That is an NHS number: name the filter by what it shows, never by a person",
    Fault.MANY: f"You have {MOST} saved filters: delete one first",
    Fault.QUERY: "This list cannot be saved: choose its filters again",
}
_VIEW = re.compile(r"[a-z_]{1,40}-[0-9]{1,4}")
_Proof = Annotated[str, Form(max_length=128)]
_Team = Annotated[str, Form(max_length=200)]
_Query = Annotated[str, Form(max_length=MAX_LENGTH)]
_Name = Annotated[str, Form(max_length=200)]


@router.post("/saved-filters")
async def save(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    proof: _Proof = "",
    team: _Team = "",
    query: _Query = "",
    name: _Name = "",
) -> RedirectResponse:
    """Saves what the list is cut to, its order and its risk, and comes back to it."""
    require_own_form(request, proof)
    kept = filter_query(query)
    try:
        if kept is None:
            raise NotSaved(Fault.QUERY)
        await service.reads.run(save_filter, service.database, caller, name, kept)
    except NotSaved as refused:
        return _to_list(team, kept or "", saved_wrong=refused.fault.value)
    return _to_list(team, kept, saved=1)


@router.post("/saved-filters/delete")
async def delete(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    proof: _Proof = "",
    team: _Team = "",
    query: _Query = "",
    name: _Name = "",
) -> RedirectResponse:
    """Deletes one of the caller's own filters and comes back to the list."""
    require_own_form(request, proof)
    await service.reads.run(delete_filter, service.database, caller, name)
    return _to_list(team, filter_query(query) or "", saved="deleted")


def said_wrong(fault: str) -> str:
    """What to do about a filter that was not saved; empty for none."""
    return WRONG[Fault(fault)] if fault in set(Fault) else ""


def filter_query(sent: str) -> str | None:
    """The query string of a filter, rebuilt from what a browser sent; None for what is no list."""
    parts = parse_qs(sent)
    view = parts.pop("view", [""])[0]
    listed = read_view(urlencode({name: values[0] for name, values in parts.items()}))
    if listed is None or (view and not _VIEW.fullmatch(view)):
        return None
    cut = ListView(ranking=listed.ranking, sort=listed.sort, **dict(listed.filters)).query
    return "&".join(part for part in (urlencode({"view": view}) if view else "", cut) if part)


def _to_list(team: str, query: str, **said: object) -> RedirectResponse:
    place = f"/teams/{quote(team, safe='')}" if team else "/teams"
    return RedirectResponse(f"{place}?{'&'.join(filter(None, (query, urlencode(said))))}", 303)
