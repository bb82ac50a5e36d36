"""Keeping, finding and dropping a draft. A draft is not a record: nobody but its author ever reads it, and it ends by
itself."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from serving.auditlog.log import Audit, Look, append
from serving.drafts import repository
from serving.drafts.sealing import Sealer
from serving.identity.callers import Caller
from serving.storage.database import Database

KEPT_HOURS = 72
"""Over a weekend. Decided here."""
LONGEST = 20_000


def keep_draft(
    database: Database, sealer: Sealer, caller: Caller, audit: Audit, patient_id: str, answers: dict[str, Any]
) -> bool:
    """Keep answers for their author; False where the author may not see the person now, or there is too much of it."""
    now = dt.datetime.now(dt.UTC)
    text = json.dumps(answers, sort_keys=True)
    if len(text) > LONGEST:
        return False
    with database.write(caller) as connection:
        if not repository.is_own(connection, caller, patient_id):
            return False
        row = {
            "owner": caller.person,
            "patient_id": patient_id,
            "sealed": sealer.seal(text, _about(caller, patient_id)),
            "saved_at": now,
            "expires_at": now + dt.timedelta(hours=KEPT_HOURS),
        }
        repository.keep(connection, row, now)
        append(connection, audit, Look("draft.kept", (patient_id,)))
    return True


def find_draft(database: Database, sealer: Sealer, caller: Caller, patient_id: str) -> dict[str, Any] | None:
    """The caller's own answers about a person, or None."""
    with database.read(caller) as connection:
        sealed = repository.find(connection, caller, patient_id, dt.datetime.now(dt.UTC))
    text = sealer.open(sealed, _about(caller, patient_id)) if sealed is not None else None
    return None if text is None else json.loads(text)


def drop_draft(database: Database, caller: Caller, patient_id: str) -> None:
    """Drop the caller's draft about a person, if there is one."""
    with database.write(caller) as connection:
        repository.forget(connection, caller.person, patient_id)


def _about(caller: Caller, patient_id: str) -> str:
    return f"{caller.person}\n{patient_id}"
