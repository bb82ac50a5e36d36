"""Reads FHIR resources from the published list, for one requested person and for the nightly export of everybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from serving.auditlog.log import Audit, Look
from serving.fhir import repository
from serving.fhir.ids import person_of, split
from serving.fhir.resources import Assessed, Issue, RiskEstimate
from serving.gap_statuses.service import statuses_of
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.storage.database import Database
from serving.worklists.entries.repository import reviews_of

MAKES: dict[str, Callable[[Assessed], list[dict[str, Any]]]] = {
    "RiskAssessment": Assessed.risk_assessments,
    "DetectedIssue": Assessed.detected_issues,
    "Task": Assessed.tasks,
    "ServiceRequest": Assessed.service_requests,
}


def resources_of(database: Database, caller: Caller, audit: Audit, kind: str, patient_id: str) -> list[dict[str, Any]]:
    """Every resource of one type of a person. 404 if the person does not exist or is in another team; both are
    audited.
    """
    with database.read(caller) as connection:
        found = _person(connection, caller, patient_id)
    if found is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()
    team_id, one = found
    run = one.run
    beyond = {"emergency": True} if caller.is_beyond(team_id) else {}
    detail = {"type": kind, **beyond}
    audit.record(Look("fhir.seen", (patient_id,), team_id, run.run_id, run.bundle_id, detail=detail))
    return MAKES[kind](one)


def resource_of(database: Database, caller: Caller, audit: Audit, kind: str, identifier: str) -> dict[str, Any]:
    """One resource by its id. 404 if there is none that the caller may see."""
    parts = split(identifier)
    patient_id = None
    if parts is not None:
        with database.read(caller) as connection:
            patient_id = person_of(parts[1], (row.patient_id for row in repository.everybody(connection, caller)))
    if patient_id is None:
        audit.record(Look("person.not_visible", detail={"type": kind}))
        raise not_found()
    made = resources_of(database, caller, audit, kind, patient_id)
    found = next((one for one in made if one["id"] == identifier), None)
    if found is None:
        raise not_found()
    return found


def proposals_of(database: Database, caller: Caller, audit: Audit, patient_id: str) -> tuple[RunInfo, list[Issue]]:
    """The proposals of a person's Task resources, for the page on which a person accepts them. 404 as above."""
    resources_of(database, caller, audit, "Task", patient_id)
    with database.read(caller) as connection:
        found = _person(connection, caller, patient_id)
    if found is None:
        raise not_found()
    return found[1].run, found[1].proposed


def _person(connection: Connection, caller: Caller, patient_id: str) -> tuple[str, Assessed] | None:
    run = current_run(connection)
    team = repository.team_of(connection, caller, patient_id)
    if run is None or team is None:
        return None
    [found] = assessed(connection, caller, RunInfo.of(run), team, [patient_id])
    return team, found


def assessed(
    connection: Connection, caller: Caller, run: RunInfo, team_id: str, patients: Sequence[str]
) -> list[Assessed]:
    """People of one team on the published list, in the order given."""
    estimates: dict[str, dict[str, list[RiskEstimate]]] = {}
    for row in repository.scores_of(connection, caller, team_id, patients):
        behind = row.behind or {}
        reasons = [
            {**reason, "rows": behind.get(reason["concept"], {}).get("rows", [])} for reason in row.reasons or ()
        ]
        ends = None if row.low is None else (row.low, row.high)
        of_person = estimates.setdefault(row.patient_id, {}).setdefault(row.outcome, [])
        of_person.append(RiskEstimate(row.horizon_days, row.probability, reasons, ends))
    reviews = reviews_of(connection, caller, list(patients))
    statuses = statuses_of(connection, caller, list(patients), reviews, dt.datetime.now(dt.UTC).date())
    issues: dict[str, list[Issue]] = {}
    for gap in repository.gaps_of(connection, caller, patients):
        said = statuses.get((gap.patient_id, gap.code))
        holds = said if said is not None and said.holds else None
        issue = Issue(dict(gap._mapping), holds.status if holds else None, holds.in_words if holds else "")
        issues.setdefault(gap.patient_id, []).append(issue)
    middle = run.middles.get(team_id, {})
    return [Assessed(patient, run, estimates.get(patient, {}), issues.get(patient, ()), middle) for patient in patients]
