"""Stores feedback: the outcome of a card in the client's system. Coded answers are stored once; free text is counted
and not stored.
"""

from __future__ import annotations

import datetime as dt

from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.cds import repository
from serving.cds.schemas import CardFeedback, FeedbackEntry, FeedbackTaken
from serving.cds.wording import OVERRIDE_REASONS, REASON_SYSTEM
from serving.identity.callers import Caller
from serving.storage.database import Database, DatabaseUnavailable

ANOTHER_REASON = "another_reason"
"""Replaces a reason that is not ours: its code may be free text."""
_OURS = frozenset(reason.code for reason in OVERRIDE_REASONS)


def take_feedback(
    database: Database, caller: Caller, audit: Audit, service_id: str, sent: CardFeedback
) -> FeedbackTaken:
    """Store each entry about a card that this client was shown by this service. The same card, outcome and moment
    counts once, however often it is sent."""
    stored = repeated = unknown = 0
    now = dt.datetime.now(dt.UTC)
    try:
        with database.write() as connection:
            for entry in sent.feedback:
                if not repository.shown_to(connection, caller.token_id, service_id, str(entry.card)):
                    unknown += 1
                elif repository.add_feedback(connection, _row(entry, now)):
                    stored += 1
                else:
                    repeated += 1
            comments = sum(_comment(entry) for entry in sent.feedback)
            counts = {"stored": stored, "repeated": repeated, "unknown_cards": unknown, "comments_dropped": comments}
            append(connection, audit, Look("card.feedback", detail={"service": service_id, **counts}))
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    return FeedbackTaken(**counts)


def _comment(entry: FeedbackEntry) -> bool:
    return entry.overrideReason is not None and bool(entry.overrideReason.userComment)


def _row(entry: FeedbackEntry, now: dt.datetime) -> dict[str, object]:
    given = entry.overrideReason.reason if entry.overrideReason else None
    code = None
    if given is not None:
        code = given.code if given.system == REASON_SYSTEM and given.code in _OURS else ANOTHER_REASON
    return {
        "card_id": str(entry.card),
        "outcome": entry.outcome,
        "outcome_at": entry.outcomeTimestamp,
        "reason": code,
        "suggestions": len(entry.acceptedSuggestions or ()),
        "commented": _comment(entry),
        "received_at": now,
    }
