"""Bundles, errors and the capability statement."""

from __future__ import annotations

import datetime as dt
from typing import Any

from serving.http.problems import Problem

MEDIA_TYPE = "application/fhir+json"
TYPES: dict[str, tuple[str, ...]] = {
    "RiskAssessment": ("patient", "subject"),
    "DetectedIssue": ("patient",),
    "Task": ("patient",),
    "ServiceRequest": ("patient", "subject"),
}
"""Types of resources, with the parameters that search them."""
_CODES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 422: "invalid", 429: "throttled"}


def searchset(base: str, kind: str, address: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer to a search: everything that was found, in one page."""
    found: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "link": [{"relation": "self", "url": address}],
    }
    if resources:
        found["entry"] = [
            {"fullUrl": f"{base}/fhir/{kind}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in resources
        ]
    return found


def outcome_of(problem: Problem, request_id: str) -> dict[str, Any]:
    """An error as an OperationOutcome. It holds the content of the problem, and no data of the request."""
    code = _CODES.get(problem.status, "transient" if problem.status >= 500 else "processing")
    issue: dict[str, Any] = {
        "severity": "error",
        "code": code,
        "details": {"coding": [{"system": "urn:upstream:problem", "code": problem.kind}]},
        "diagnostics": f"{problem.detail} Request {request_id}.",
    }
    if problem.errors:
        issue["expression"] = [error.where for error in problem.errors]
        issue["diagnostics"] += " " + " ".join(f"{error.where} {error.what}." for error in problem.errors)
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def capability_statement(base: str, version: str, since: dt.date) -> dict[str, Any]:
    """``/fhir/metadata``."""
    resources = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": "reference"} for name in names],
        }
        for kind, names in TYPES.items()
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": since.isoformat(),
        "kind": "instance",
        "software": {"name": "Upstream", "version": version},
        "implementation": {"description": "Estimated risks and care gaps of the published list", "url": f"{base}/fhir"},
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE, "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Nothing is written here. A proposal is accepted by a person, on a page.",
                "security": {"description": "A bearer token made by `upstream token`, of a role that sees people."},
                "resource": resources,
            }
        ],
    }
