"""One person open in two windows, or a page that outlived its session: nothing filled in is lost, and no save
overwrites what its author has not seen.

A page says when it was opened and by whom. A form that would overwrite a later change is refused once, with its answers
kept. A form of the same author's earlier session is kept as well, and is not recorded before they send it again.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse

from serving.access import is_own_form
from serving.drafts.service import keep_draft
from serving.http.problems import Problem, not_found
from serving.identity.callers import Caller
from serving.state import Service
from serving.web.back_link import person_query, read_way_back

CHANGED = "changed"
CHANGED_WORDS = (
    "It was changed after you opened this page. What is recorded now is shown above your answers. "
    "Save again to put yours in its place"
)


class SentForm(Protocol):
    """A form about a person, as it was sent."""

    proof: str
    author: str
    view: str
    back: str

    @property
    def kept(self) -> dict[str, Any]: ...


def read_opened(text: str) -> dt.datetime | None:
    """When the page of a form was opened; None where the form does not say."""
    try:
        opened = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return opened if opened.tzinfo is not None else None


async def kept_for_author(
    request: Request, caller: Caller, service: Service, patient_id: str, sent: SentForm, form: str
) -> RedirectResponse | None:
    """None for a form of this session. A form that its author opened in an earlier session is kept for them, and the
    browser goes to the person's page, which shows it. Raises 403 for any other form."""
    if is_own_form(request, sent.proof):
        return None
    if not sent.author or sent.author != caller.person:
        raise Problem(403, "foreign-origin", "This form was opened by somebody else, or not here. Nothing was saved.")
    audit = service.audit_for(caller, request)
    if not await service.reads.run(
        keep_draft, service.database, service.sealer, caller, audit, patient_id, sent.kept, form
    ):
        raise not_found()
    query = person_query(sent.view, read_way_back(sent.back))
    return RedirectResponse(f"/patients/{quote(patient_id, safe='')}?{query}", 303)
