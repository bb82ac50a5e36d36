"""Incidents with Upstream, reported by anybody signed in. Each is one event of the audit log, in closed codes: free
text would soon hold details of a person.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from sqlalchemy import select

from serving.auditing import repository
from serving.auditing.repository import Asked
from serving.auditlog.log import Audit, Look
from serving.identity.callers import Caller, Role
from serving.runs.repository import current_run
from serving.storage.database import Database
from serving.storage.visible import visible_people

ACTION = "incident.reported"
MOST_SHOWN = 200
KINDS = {
    "wrong_person": "Something of another person was shown",
    "wrong_fact": "A date, dose or result differed from the record",
    "gap_not_there": "Overdue or missing care was shown that was neither",
    "gap_missing": "Overdue or missing care was not shown",
    "risk_misleading": "A risk or a reason misled somebody",
    "list_late": "The list was old, or did not come",
    "not_available": "Upstream was not available when it was needed",
    "access": "Somebody saw what they should not see",
}
HARMS = {
    "none": "No harm, and none was near",
    "near_miss": "Near miss: it was noticed in time",
    "low": "Low harm: more observation or small treatment",
    "moderate": "Moderate harm: more treatment, or a longer stay",
    "severe": "Severe harm or death",
}
READ_BY = (Role.AUDITOR, Role.OPERATOR)


class PersonNotVisible(Exception):
    """The caller may not see the person whom the report names; nothing was recorded."""


@dataclass(frozen=True)
class Incident:
    """One report. ``patient_id`` is empty where none was given, or the reader sees no people."""

    reference: str
    at: dt.datetime
    by: str
    kind: str
    harm: str
    patient_id: str
    list_of: str


def report_incident(database: Database, caller: Caller, audit: Audit, kind: str, harm: str, patient_id: str) -> str:
    """Records an incident and returns its reference. Raises PersonNotVisible, after an event that says so."""
    with database.read(caller) as connection:
        run = current_run(connection)
        visible = visible_people(caller)
        known = not patient_id or connection.scalar(
            select(visible.c.patient_id).where(visible.c.patient_id == patient_id).limit(1)
        )
    if not known:
        audit.record(Look("person.not_visible"))
        raise PersonNotVisible
    reference = f"I-{secrets.token_hex(4)}"
    detail = {"reference": reference, "kind": kind, "harm": harm, "list_of": str(run.as_of) if run else ""}
    people = (patient_id,) if patient_id else ()
    audit.record(Look(ACTION, people, run_id=run.run_id if run else None, detail=detail))
    return reference


def list_incidents(database: Database, caller: Caller, audit: Audit) -> list[Incident]:
    """The newest reports, for auditor and operator; an operator gets no person. Reading them is logged."""
    with database.read() as connection:
        rows = repository.events(connection, Asked(action=ACTION), MOST_SHOWN)
        names = repository.names_of(connection, {row.actor for row in rows})
    audit.record(Look("incidents.seen", detail={"shown": len(rows)}))
    return [
        Incident(
            row.detail["reference"],
            dt.datetime.fromisoformat(row.at),
            names.get(row.actor, "") or row.role,
            row.detail["kind"],
            row.detail["harm"],
            row.patient_ids[0] if row.patient_ids and caller.role == Role.AUDITOR else "",
            row.detail["list_of"],
        )
        for row in rows
    ]
