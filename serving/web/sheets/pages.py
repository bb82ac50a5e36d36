"""``/patients/{patient_id}/conversation`` and ``/patients/{patient_id}/letter`` (also ``.txt`` and ``.pdf``): sheets to
take along or to send."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access import GuardedRoute, PeopleReader
from serving.http.problems import Problem
from serving.identities.service import names_of
from serving.identity.callers import Caller
from serving.identity.ids import PersonId
from serving.people.schemas import Person
from serving.people.service import show_person
from serving.state import Service, Serving
from serving.web.rendering import around, page
from serving.web.sheets.conversation import conversation_of, sources
from serving.web.sheets.letter import Letter, letter_of
from serving.web.sheets.letter_pdf import letter_pdf
from serving.web.sheets.sheet_words import EASY, PLAIN

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

Yes = Annotated[str, Query(max_length=1)]


@router.get("/patients/{patient_id}/conversation")
async def conversation(
    request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId, easy: Yes = ""
) -> Response:
    """One page for a conversation about medicines, on paper or a tablet; ``easy=1`` in easy-read words."""
    audit = service.page_audit_for(caller, request)
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


@router.get("/patients/{patient_id}/letter")
async def letter(request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId) -> Response:
    """The letter to the GP, to read before it is sent."""
    person, found = await _letter(request, caller, service, patient_id)
    surroundings = around(request, caller, person.run)
    return page(request, "letter.html", surroundings=surroundings, person=person, letter=found)


@router.get("/patients/{patient_id}/letter.txt")
async def letter_as_text(request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId) -> Response:
    """The same as a text to copy."""
    _, found = await _letter(request, caller, service, patient_id)
    return _file(found.text().encode(), "text/plain; charset=utf-8", "letter.txt")


@router.get("/patients/{patient_id}/letter.pdf")
async def letter_as_pdf(request: Request, caller: PeopleReader, service: Serving, patient_id: PersonId) -> Response:
    """The same as a PDF."""
    _, found = await _letter(request, caller, service, patient_id)
    return _file(await service.reads.run(letter_pdf, found), "application/pdf", "letter.pdf")


async def _letter(request: Request, caller: Caller, service: Service, patient_id: str) -> tuple[Person, Letter]:
    audit = service.page_audit_for(caller, request)
    person = await service.reads.run(show_person, service.database, caller, audit, patient_id, shown_as="letter")
    if person.emergency:
        raise Problem(403, "emergency-reads-only", "Emergency access is for reading; their own team writes letters.")
    names = await service.reads.run(names_of, service.database, caller, service.identity_keys, [patient_id])
    return person, letter_of(person, names.get(patient_id), dt.datetime.now(dt.UTC).date())


def _file(content: bytes, media_type: str, name: str) -> Response:
    # The name of the file names nobody: downloads folders are shared.
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
