"""Who joined and who left a team's list, in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection

from serving.auditlog.log import Audit, Look
from serving.identity.callers import Caller
from serving.storage.database import Database
from serving.worklists.changes import repository
from serving.worklists.rules import LeftReason
from serving.worklists.schemas import Joined, Left, ListChanges

CHANGES_OF = dt.timedelta(days=7)
MOST_CHANGES = 200

LEFT_IN_WORDS = {
    LeftReason.LEFT_CASELOAD: "Left this caseload",
    LeftReason.REVIEWED: "Reviewed",
    LeftReason.SNOOZED: "Snoozed by a reviewer",
    LeftReason.TURN_OVER: "The week of those unseen for longest is over",
    LeftReason.RULES_CHANGED: "The list is ordered in another way now",
    LeftReason.GAP_CLOSED: "A safety gap is closed",
    LeftReason.RISK_FELL: "The estimated risk fell",
    LeftReason.DISPLACED: "Others come first now",
    LeftReason.FEWER_SLOTS: "The review capacity is smaller now",
}


def left_in_words(reason: LeftReason, note: str) -> str:
    return f"{LEFT_IN_WORDS[reason]}: {note}" if note else LEFT_IN_WORDS[reason]


def list_changes(connection: Connection, caller: Caller, team_id: str, since: dt.date) -> ListChanges:
    """Who joined and who left a team's lists published for ``since`` or later. The caller audits whom it shows."""
    joined = repository.joined_since(connection, caller, team_id, since, MOST_CHANGES)
    left = repository.left_since(connection, caller, team_id, since, MOST_CHANGES)
    here = repository.here_now(connection, caller, team_id, [row.patient_id for row in left])
    return ListChanges(
        since=since,
        joined=[Joined.model_validate(row, from_attributes=True) for row in joined],
        left=[
            Left(
                in_words=left_in_words(LeftReason(row.reason), row.note),
                still_here=row.patient_id in here,
                **{name: getattr(row, name) for name in Left.model_fields if name not in ("in_words", "still_here")},
            )
            for row in left
        ],
    )


@dataclass(frozen=True)
class Gone:
    """Somebody who is not on the caseload of the caller's team any more. ``in_words`` is why, where the list recorded
    it."""

    patient_id: str
    team_id: str
    team_name: str
    last_on: dt.date
    in_words: str


def gone(database: Database, caller: Caller, audit: Audit, patient_id: str) -> Gone | None:
    """For somebody whom the caller may not see now: that they were on a list of the caller's own team, or None.
    Audited like any look."""
    with database.read(caller) as connection:
        place = repository.last_place(connection, caller, patient_id)
        why = repository.last_exit(connection, caller, patient_id, place.team_id) if place else None
    if place is None:
        return None
    audit.record(Look("person.left_seen", patient_ids=(patient_id,), team_id=place.team_id))
    left = why is not None and LeftReason(why.reason) is LeftReason.LEFT_CASELOAD
    words = left_in_words(LeftReason.LEFT_CASELOAD, why.note) if why is not None and left else ""
    return Gone(patient_id, place.team_id, place.name, place.as_of, words)
