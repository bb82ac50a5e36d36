"""Emergency access is opened and written to the log in one transaction; reading the log is itself in the log."""

from __future__ import annotations

import datetime as dt
import secrets

from serving.auditing import repository
from serving.auditing.repository import Asked
from serving.auditing.schemas import ACCESS_MINUTES, Emergencies, Emergency, Event, Events
from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.identity.callers import Caller
from serving.storage.database import Database, DatabaseUnavailable


def open_in_emergency(
    database: Database, caller: Caller, audit: Audit, patient_id: str, reason: str, now: dt.datetime | None = None
) -> Emergency:
    """Let ``caller`` see one person for ``ACCESS_MINUTES``, whichever team they are with.

    Whether the person exists is not said here, so that opening tells nothing: the look that follows does, and it is in
    the log too.
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
    try:
        with database.write(caller) as connection:
            repository.grant(connection, found.model_dump())
            append(connection, audit, Look("emergency.opened", (patient_id,), detail=detail))
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    return found


def list_emergencies(database: Database, audit: Audit, limit: int) -> Emergencies:
    with database.read() as connection:
        rows, total = repository.grants(connection, limit)
    audit.record(Look("emergencies.seen", detail={"shown": len(rows)}))
    return Emergencies(items=[Emergency(**row._mapping) for row in rows], total=total)


def list_events(database: Database, audit: Audit, asked: Asked, limit: int) -> Events:
    with database.read() as connection:
        rows = repository.events(connection, asked, limit)
        names = repository.names_of(connection, {row.actor for row in rows})
    items = [Event(**row._mapping, actor_name=names.get(row.actor, "")) for row in rows]
    about = (asked.patient_id,) if asked.patient_id else ()
    audit.record(Look("audit.seen", about, detail={"shown": len(items)}))
    return Events(items=items, next_before=items[-1].seq if len(items) == limit and items[-1].seq > 1 else None)
