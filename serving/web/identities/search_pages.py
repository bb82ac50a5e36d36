"""``/find``: one of the caller's people by name, NHS number or id.

What is typed is about a person, so it never stands in an address: the form posts it, and the address of the answer
holds it sealed by a key that this process made for itself. Going back to the answer works; the address tells nobody
else anything, and another session cannot open it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from serving.access import GuardedRoute, PeopleReader, require_own_form
from serving.identities.keys import IdentityKeys, NotOpened
from serving.identities.schemas import SHORTEST_SEARCH
from serving.identities.service import MOST_FOUND, search_people, sees_names
from serving.identity.callers import Caller
from serving.state import Serving
from serving.web.rendering import around, page

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

LONGEST_SEARCH = 100


@router.post("/find")
async def find(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    proof: Annotated[str, Form(max_length=128)] = "",
    sought: Annotated[str, Form(max_length=LONGEST_SEARCH)] = "",
) -> Response:
    """Take what was typed and go to the answer."""
    require_own_form(request, proof)
    return RedirectResponse(f"/find?answer={sealed_search(service.searches, caller, sought.strip())}", 303)


@router.get("/find")
async def found(
    request: Request,
    caller: PeopleReader,
    service: Serving,
    answer: Annotated[str, Query(max_length=1_000)] = "",
) -> Response:
    """The people who fit; the very person at once where it is one and their id or NHS number was typed."""
    text = opened_search(service.searches, caller, answer)
    audit = service.page_audit_for(caller, request)
    result = None
    if len(text) >= SHORTEST_SEARCH:
        keys = service.identity_keys
        result = await service.reads.run(search_people, service.database, caller, keys, audit, text)
    return page(
        request,
        "find.html",
        surroundings=around(request, caller),
        result=result,
        sought=text,
        most=MOST_FOUND,
        by_name=sees_names(caller, service.identity_keys),
        lost=bool(answer) and not text,
        quote=quote,
    )


def sealed_search(searches: IdentityKeys, caller: Caller, text: str) -> str:
    """What was typed, as a word of an address that only this session can read."""
    return base64.urlsafe_b64encode(searches.seal(text.encode(), caller.token_id)).decode()


def opened_search(searches: IdentityKeys, caller: Caller, answer: str) -> str:
    """What was typed; empty where the address is of another session, or of before the service started again."""
    try:
        sealed = base64.urlsafe_b64decode(answer.encode())
        return searches.open(sealed, caller.token_id, searches.current).decode()
    except (NotOpened, binascii.Error, ValueError):
        return ""
