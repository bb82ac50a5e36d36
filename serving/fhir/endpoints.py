"""``GET /fhir/metadata``, and search and read of each type of resource."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from features.records.reading.ids import clean_id
from serving.access import PeopleCaller
from serving.fhir.bundles import MEDIA_TYPE, TYPES, capability_statement, searchset
from serving.fhir.service import resource_of, resources_of
from serving.http.problems import FieldProblem, Problem
from serving.identity.ids import LocalId
from serving.operations.service import own_version
from serving.state import Serving, base_url_of

router = APIRouter(tags=["FHIR"])
REFERENCE = "Patient/"
SINCE = dt.date(2026, 11, 29)
Named = Annotated[LocalId | None, Query(min_length=1, max_length=220, description="Patient/id, or the id alone")]
Identifier = Annotated[str, Path(min_length=3, max_length=64, pattern=r"^[A-Za-z0-9\-.]+$")]


def _described(kind: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"const": kind}}}
    return {200: {"description": f"a {kind} of FHIR R4", "content": {MEDIA_TYPE: {"schema": schema}}}}


class FhirResponse(Response):
    media_type = MEDIA_TYPE


def _answer(resource: dict[str, Any]) -> Response:
    return FhirResponse(json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode())


@router.get("/fhir/metadata", response_class=FhirResponse, responses=_described("CapabilityStatement"))
async def metadata(request: Request) -> Response:
    """The capability statement of this FHIR server."""
    return _answer(capability_statement(base_url_of(request), own_version(), SINCE))


def _person(*named: str | None) -> str:
    """Our id of the person that a search names, by any of its parameters. Raises 400 if it names no person, or two."""
    found = {clean_id(one.removeprefix(REFERENCE)) for one in named if one}
    if len(found) != 1 or not (patient := found.pop()):
        what = "names exactly one person, as patient=Patient/id"
        raise Problem(
            400, "search-by-patient", "Search by one person.", errors=[FieldProblem(where="query.patient", what=what)]
        )
    return patient


def _add(kind: str) -> None:
    """Mount search and read of one type."""

    async def search(
        request: Request, caller: PeopleCaller, service: Serving, patient: Named = None, subject: Named = None
    ) -> Response:
        audit = service.audit_for(caller, request)
        person = _person(patient, subject)
        found = await service.reads.run(resources_of, service.database, caller, audit, kind, person)
        base = base_url_of(request)
        address = f"{base}{request.url.path}?{request.url.query}"
        return _answer(searchset(base, kind, address, found))

    async def read(request: Request, caller: PeopleCaller, service: Serving, resource_id: Identifier) -> Response:
        audit = service.audit_for(caller, request)
        return _answer(await service.reads.run(resource_of, service.database, caller, audit, kind, resource_id))

    search.__doc__ = f"Every {kind} of one person, from the published list."
    read.__doc__ = f"One {kind} by its id."
    name = kind.lower()
    router.add_api_route(
        f"/fhir/{kind}", search, name=f"search_{name}", response_class=FhirResponse, responses=_described("Bundle")
    )
    router.add_api_route(
        f"/fhir/{kind}/{{resource_id}}",
        read,
        name=f"read_{name}",
        response_class=FhirResponse,
        responses=_described(kind),
    )


for _kind in TYPES:
    _add(_kind)
