"""Giving a person to a colleague of their team, and marking them for this week. The JSON route and the form both call
``set_work``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.http.problems import ChangedMeanwhile, FieldProblem, Problem, not_found
from serving.identity.callers import Caller, Role, local_person
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.visible import place_of
from serving.work import repository
from serving.work.schemas import Colleague, HandoverNote, Work, WorkIn, WorkItem

NOBODY: Mapping[str, Sequence[str]] = {}


def set_work(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    sent: WorkIn,
    demo: Mapping[str, Sequence[str]] = NOBODY,
    now: dt.datetime | None = None,
    *,
    page_opened_at: dt.datetime | None = None,
) -> WorkItem:
    """Record who has a person and whether it is for this week, in one transaction with its audit event.

    ``demo`` holds the names of a demo's pharmacists by team, who need no membership. ``Problem`` 404 for a person the
    caller may not see, 403 for one seen in an emergency only, 422 for somebody who is not in the person's team now,
    ``ChangedMeanwhile`` where the page that the change was made on does not show the newest entry.
    """
    now = now or dt.datetime.now(dt.UTC)
    try:
        with database.write(caller) as connection:
            place = place_of(connection, caller, patient_id)
            if place is not None:
                names = demo.get(place.team_id, ())
                before = repository.newest(connection, caller, [patient_id]).get(patient_id)
                if before is not None and page_opened_at is not None and before.set_at >= page_opened_at:
                    raise ChangedMeanwhile
                return _recorded(connection, caller, audit, patient_id, sent, names, now, place)
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
    raise not_found()


def show_work(database: Database, caller: Caller, audit: Audit, patient_id: str, demo: Sequence[str] = ()) -> Work:
    """Who has a person, and who could. 404 where the caller may not see them; both are audited."""
    with database.read(caller) as connection:
        place = place_of(connection, caller, patient_id)
        found = work_of(connection, caller, patient_id, place.team_id, demo) if place is not None else None
    if place is None or found is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()
    audit.record(Look("work.seen", (patient_id,), place.team_id, place.run_id))
    return found


def work_of(connection: Connection, caller: Caller, patient_id: str, team_id: str, demo: Sequence[str] = ()) -> Work:
    """``show_work`` inside another look, which audits it."""
    there = _colleagues(connection, team_id, demo, dt.datetime.now(dt.UTC))
    row = repository.newest(connection, caller, [patient_id]).get(patient_id)
    return Work(patient_id=patient_id, item=None if row is None else _item(row, there), colleagues=there)


def in_words(row: Row[Any] | None, caller: Caller) -> str:
    """Who has somebody, for a line of a list: ``Yours, to do this week``; empty where nobody has them."""
    if row is None:
        return ""
    whose = "Yours" if row.given_to == caller.person else f"With {row.given_to_name}" if row.given_to else ""
    week = "to do this week" if row.this_week and not row.reviewed else ""
    said = ", ".join(part for part in (whose, week) if part)
    return said[:1].upper() + said[1:]


def _recorded(
    connection: Connection,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    sent: WorkIn,
    demo: Sequence[str],
    now: dt.datetime,
    place: Row[Any, Any],
) -> WorkItem:
    if caller.is_beyond(place.team_id):
        raise Problem(403, "emergency-reads-only", "Emergency access is for reading; their own team shares out work.")
    there = _colleagues(connection, place.team_id, demo, now)
    whom = next((one for one in there if one.person == sent.given_to), None)
    if sent.given_to is not None and whom is None:
        wrong = FieldProblem(where="body.given_to", what="is nobody of this person's team now")
        raise Problem(422, "invalid-request", "Nothing was changed; choose a colleague of the team.", errors=[wrong])
    notes = list(dict.fromkeys(note.value for note in sent.notes))
    row = {
        "patient_id": patient_id,
        "team_id": place.team_id,
        "run_id": place.run_id,
        "given_to": sent.given_to,
        "given_to_name": whom.name if whom else "",
        "this_week": sent.this_week,
        "notes": notes,
        "set_at": now,
        "set_by": caller.token_id,
        "set_by_name": caller.label or caller.role_label,
    }
    repository.add(connection, row)
    what = {"given_to": sent.given_to, "this_week": sent.this_week, "notes": notes}
    append(connection, audit, Look("work.set", (patient_id,), place.team_id, place.run_id, detail=what))
    return WorkItem(
        given_to=sent.given_to,
        given_to_name=row["given_to_name"],
        still_in_team=True,
        this_week=sent.this_week,
        notes=[HandoverNote(note) for note in notes],
        set_at=now,
        set_by=row["set_by_name"],
    )


def _colleagues(connection: Connection, team_id: str, demo: Sequence[str], now: dt.datetime) -> list[Colleague]:
    found = {one.person: one for one in repository.colleagues(connection, team_id, now)}
    for name in demo:
        who = local_person(Role.PHARMACIST, name)
        found.setdefault(who, Colleague(person=who, name=name))
    return sorted(found.values(), key=lambda one: one.name.lower())


def _item(row: Row[Any], there: Sequence[Colleague]) -> WorkItem:
    return WorkItem(
        given_to=row.given_to,
        given_to_name=row.given_to_name,
        still_in_team=row.given_to is None or any(one.person == row.given_to for one in there),
        this_week=row.this_week and not row.reviewed,
        notes=[HandoverNote(note) for note in row.notes],
        set_at=row.set_at,
        set_by=row.set_by_name,
    )
