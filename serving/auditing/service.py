"""Opens emergency access and logs it in one transaction; reading the log is itself logged."""

from __future__ import annotations

import datetime as dt
import secrets

from sqlalchemy import Connection

from serving.auditing import repository
from serving.auditing.repository import Asked
from serving.auditing.schemas import ACCESS_MINUTES, MOST_AN_HOUR, AuditEvents, Emergencies, Emergency, Event
from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.http.problems import Problem
from serving.identity.callers import Caller
from serving.storage.database import Database, DatabaseUnavailable


def open_in_emergency(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    reason: str,
    now: dt.datetime | None = None,
    most_an_hour: int = MOST_AN_HOUR,
) -> Emergency:
    """Let ``caller`` read one person of another team for ``ACCESS_MINUTES``.

    Raises ``Problem`` 404 where no list holds the person, 409 for one of the caller's own, 429 after ``most_an_hour``
    people within an hour: somebody who needs more is not in an emergency, or needs a membership. Each access is logged.
    """
    now = now or dt.datetime.now(dt.UTC)
    found = Emergency(
        grant_id=secrets.token_hex(8),
        actor=caller.token_id,
        actor_name=caller.label or caller.role_label,
        patient_id=patient_id,
        reason=reason,
        granted_at=now,
        expires_at=now + dt.timedelta(minutes=ACCESS_MINUTES),
    )
    detail = {"reason": reason, "until": found.expires_at.isoformat(), "grant_id": found.grant_id}
    with database.read(repository.ANYBODY) as connection:
        team = repository.team_of(connection, patient_id)
    try:
        with database.write(caller) as connection:
            # Write the event first: it makes other writers wait, so that the count below is complete.
            append(connection, audit, Look("emergency.opened", (patient_id,), detail=detail))
            opened = repository.granted_since(connection, caller.token_id, now - dt.timedelta(hours=1))
            refused = _refusal(caller, team, opened, most_an_hour)
            if refused is not None:
                raise refused
            repository.grant(connection, found.model_dump())
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    except Problem as refused:
        audit.record(Look("emergency.refused", (patient_id,), detail={"reason": reason, "why": refused.kind}))
        raise
    return found


def _refusal(caller: Caller, team: str | None, opened: int, most_an_hour: int) -> Problem | None:
    if opened >= most_an_hour:
        return Problem(
            429,
            "too-many-emergencies",
            f"You have opened {most_an_hour} people of other teams within an hour. Call the Upstream administrator: "
            "cover for a team is a membership, not an emergency.",
            headers={"Retry-After": "3600"},
        )
    if team is None:
        return Problem(404, "not-found", "No list holds a person with that id. Check the id; nothing was opened.")
    if not caller.is_beyond(team):
        return Problem(409, "own-person", "That person is with one of your teams: open them from your list.")
    return None


def list_emergencies(database: Database, audit: Audit, limit: int) -> Emergencies:
    with database.read() as connection:
        rows, total = repository.grants(connection, limit)
    audit.record(Look("emergencies.seen", detail={"shown": len(rows)}))
    return Emergencies(items=[Emergency(**row._mapping) for row in rows], total=total)


def list_events(database: Database, audit: Audit, asked: Asked, limit: int) -> AuditEvents:
    with database.read() as connection:
        found = _events(connection, asked, limit)
    audit.record(_look(asked, found))
    return found


def whole_log(
    database: Database, audit: Audit, asked: Asked, limit: int, most_emergencies: int
) -> tuple[Emergencies, AuditEvents]:
    """Emergency access and the events asked for, as one look: one event in the log."""
    with database.read() as connection:
        rows, total = repository.grants(connection, most_emergencies)
        found = _events(connection, asked, limit)
    audit.record(_look(asked, found, emergencies=len(rows)))
    return Emergencies(items=[Emergency(**row._mapping) for row in rows], total=total), found


def _events(connection: Connection, asked: Asked, limit: int) -> AuditEvents:
    rows = repository.events(connection, asked, limit)
    names = repository.names_of(connection, {row.actor for row in rows})
    items = [Event(**row._mapping, actor_name=names.get(row.actor, "")) for row in rows]
    return AuditEvents(items=items, next_before=items[-1].seq if len(items) == limit and items[-1].seq > 1 else None)


def _look(asked: Asked, found: AuditEvents, **more: int) -> Look:
    about = (asked.patient_id,) if asked.patient_id else ()
    return Look("audit.seen", about, detail={"shown": len(found.items), **more})
