"""Keeping, finding and dropping a draft. A draft is not a record: nobody but its author ever reads it, and it ends by
itself."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from sqlalchemy import Connection

from serving.auditlog.log import Audit, Look, append
from serving.drafts import repository
from serving.drafts.sealing import Sealer
from serving.identity.callers import Caller
from serving.storage.database import Database

KEPT_HOURS = 72
"""Over a weekend. Decided here."""
LONGEST = 20_000


REVIEW, WORK, GAP = "review", "work", "gap:"
"""The forms of a person's page: a review, who has them, and the status of one gap, with its code after the colon."""


def keep_draft(
    database: Database,
    sealer: Sealer,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    answers: dict[str, Any],
    form: str = REVIEW,
) -> bool:
    """Keep the answers of one form for their author; False where the author may not see the person now, or there is too
    much of it. What is kept of other forms about the person stays."""
    now = dt.datetime.now(dt.UTC)
    with database.write(caller) as connection:
        if not repository.is_own(connection, caller, patient_id):
            return False
        forms = _opened(connection, sealer, caller, patient_id, now) | {form: answers}
        if not _stored(connection, sealer, caller, patient_id, forms, now):
            return False
        append(connection, audit, Look("draft.kept", (patient_id,)))
    return True


def find_drafts(database: Database, sealer: Sealer, caller: Caller, patient_id: str) -> dict[str, dict[str, Any]]:
    """The caller's own answers about a person, by form."""
    with database.read(caller) as connection:
        return _opened(connection, sealer, caller, patient_id, dt.datetime.now(dt.UTC))


def drop_draft(database: Database, sealer: Sealer, caller: Caller, patient_id: str, form: str = REVIEW) -> None:
    """Drop the caller's draft of one form about a person, if there is one."""
    now = dt.datetime.now(dt.UTC)
    with database.write(caller) as connection:
        forms = _opened(connection, sealer, caller, patient_id, now)
        if forms.pop(form, None) is not None:
            _stored(connection, sealer, caller, patient_id, forms, now)


def _opened(
    connection: Connection, sealer: Sealer, caller: Caller, patient_id: str, now: dt.datetime
) -> dict[str, dict[str, Any]]:
    sealed = repository.find(connection, caller, patient_id, now)
    text = sealer.open(sealed, _about(caller, patient_id)) if sealed is not None else None
    found = {} if text is None else json.loads(text)
    # A draft of an earlier release is a review alone.
    return {REVIEW: found} if "actions" in found else found


def _stored(
    connection: Connection,
    sealer: Sealer,
    caller: Caller,
    patient_id: str,
    forms: dict[str, dict[str, Any]],
    now: dt.datetime,
) -> bool:
    text = json.dumps(forms, sort_keys=True)
    if len(text) > LONGEST:
        return False
    if not forms:
        repository.forget(connection, caller.person, patient_id)
        return True
    row = {
        "owner": caller.person,
        "patient_id": patient_id,
        "sealed": sealer.seal(text, _about(caller, patient_id)),
        "saved_at": now,
        "expires_at": now + dt.timedelta(hours=KEPT_HOURS),
    }
    repository.keep(connection, row, now)
    return True


def _about(caller: Caller, patient_id: str) -> str:
    return f"{caller.person}\n{patient_id}"
