"""``/patients/{patient_id}/conversation`` and ``/patients/{patient_id}/letter``: sheets to take along or to send."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access import GuardedRoute, PeopleReader
from serving.identities.service import names_of
from serving.identity.ids import PersonId
from serving.people.service import show_person
from serving.state import Serving
from serving.web.rendering import around, page
from serving.web.sheets.conversation import conversation_of, sources
from serving.web.sheets.sheet_words import EASY, PLAIN

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

Yes = Annotated[str, Query(max_length=1)]


@router.get("/patients/{patient_id}/conversation")
async def conversation(
    request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId, easy: Yes = ""
) -> Response:
    """One page for a conversation about medicines, on paper or a tablet; ``easy=1`` in easy-read words."""
    audit = service.audit_for(caller, request)
    person = await service.reads.run(
        show_person, service.database, caller, audit, patient_id, shown_as="conversation sheet"
    )
    names = await service.reads.run(names_of, service.database, caller, service.identity_keys, [patient_id])
    sheet = conversation_of(person, EASY if easy == "1" else PLAIN)
    return page(
        request,
        "conversation_easy.html" if easy == "1" else "conversation.html",
        surroundings=around(request, caller, person.run),
        person=person,
        who=names.get(patient_id),
        sheet=sheet,
        sources=sources(sheet.medicines),
    )
