"""The rules of reviews. The JSON route and the page's form both call ``record_review`` and ``review_history``."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from serving.auditlog.linked import ROW_HASH, content_hash
from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.http.problems import FieldProblem, Problem, not_found
from serving.identity.callers import Caller
from serving.reviews import repository
from serving.reviews.rules import contradictions
from serving.reviews.schemas import MAX_SNOOZE_DAYS, Review, ReviewIn, Reviews
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.visible import place_of


@dataclass(frozen=True)
class Recorded:
    """``created`` is False when the same review had been recorded under this key before."""

    review: Review
    created: bool


def record_review(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    review: ReviewIn,
    key: str,
    now: dt.datetime | None = None,
) -> Recorded:
    """Records what was done, in one transaction with its audit event, so that neither exists without the other.

    ``key`` makes a repeat harmless: the same review under the same key is answered as it was stored. ``Problem`` 404
    for a person the caller may not see, 409 for a key used for something else or a version that was replaced already,
    422 for an impossible review.
    """
    now = now or dt.datetime.now(dt.UTC)
    _check(review, now.date())

    def record(connection: Connection, place: Row[Any, Any]) -> Recorded:
        return _recorded(connection, caller, audit, patient_id, review, key, now, place)

    return _written(database, caller, audit, patient_id, record)


def undo_review(
    database: Database, caller: Caller, audit: Audit, patient_id: str, review_id: str, now: dt.datetime | None = None
) -> Recorded:
    """Take a review back: it counts for nothing from now on, and stays in the history with who undid it.

    A repeat is harmless. ``Problem`` 404 for a person the caller may not see or a review that is not theirs, 409 for a
    version that was corrected meanwhile. Editing what was undone records it again.
    """
    now = now or dt.datetime.now(dt.UTC)

    def undo(connection: Connection, place: Row[Any, Any]) -> Recorded:
        return _undone(connection, caller, audit, patient_id, review_id, now, place)

    return _written(database, caller, audit, patient_id, undo)


def _written(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    write: Callable[[Connection, Row[Any, Any]], Recorded],
) -> Recorded:
    """What ``write`` wrote about a person of the caller's own team, in one transaction with its audit event."""
    try:
        with database.write(caller) as connection:
            place = place_of(connection, caller, patient_id)
            if place is not None and not caller.is_beyond(place.team_id):
                return write(connection, place)
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    if place is not None:
        audit.record(Look("emergency.refused", (patient_id,), place.team_id, detail={"why": "reads-only"}))
        raise Problem(
            403,
            "emergency-reads-only",
            "You opened this person in an emergency, to read. Their own team records reviews.",
        )
    audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
    raise not_found()


def review_history(database: Database, caller: Caller, audit: Audit, patient_id: str) -> Reviews:
    """Every version of every review of a person, newest first. 404 where the caller may not see them; both are
    audited."""
    with database.read(caller) as connection:
        place = place_of(connection, caller, patient_id)
        items = [as_review(row) for row in repository.history(connection, caller, patient_id)] if place else []
    if place is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()
    audit.record(Look("reviews.seen", patient_ids=(patient_id,), team_id=place.team_id, run_id=place.run_id))
    return Reviews(patient_id=patient_id, items=items)


def as_review(row: Row[Any]) -> Review:
    return Review(**{name: getattr(row, name) for name in Review.model_fields})


def _recorded(
    connection: Connection,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    review: ReviewIn,
    key: str,
    now: dt.datetime,
    place: Row[Any, Any],
) -> Recorded:
    content = review.model_dump(mode="python") | {"actions": [action.value for action in review.actions]}
    before = repository.find_by_key(connection, caller, key)
    if before is not None:
        same = before.patient_id == patient_id and all(getattr(before, name) == content[name] for name in content)
        if not same:
            raise _conflict(
                "idempotency-key-reused", "This Idempotency-Key was used for another review; make a new one."
            )
        append(connection, audit, Look("review.repeated", (patient_id,), place.team_id, place.run_id))
        return Recorded(as_review(before), created=False)
    old = _replaced(connection, caller, patient_id, review.replaces)
    action = "review.replaced" if review.replaces else "review.recorded"
    return _added(connection, caller, audit, content, key, now, place, old, patient_id, action)


def _undone(
    connection: Connection,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    review_id: str,
    now: dt.datetime,
    place: Row[Any, Any],
) -> Recorded:
    old = repository.find(connection, caller, review_id)
    if old is None or old.patient_id != patient_id:
        raise Problem(404, "no-such-review", "There is no such review of this person.")
    if old.undone:
        return Recorded(as_review(old), created=False)
    if old.replaced_by is not None:
        newer = repository.find(connection, caller, old.replaced_by)
        if newer is not None and newer.undone:
            return Recorded(as_review(newer), created=False)
        raise _already_replaced()
    content = {name: getattr(old, name) for name in ReviewIn.model_fields} | {"replaces": review_id}
    key = f"undo-{review_id}"
    return _added(connection, caller, audit, content, key, now, place, old, patient_id, "review.undone", undone=True)


def _added(
    connection: Connection,
    caller: Caller,
    audit: Audit,
    content: dict[str, Any],
    key: str,
    now: dt.datetime,
    place: Row[Any, Any],
    old: Row[Any] | None,
    patient_id: str,
    action: str,
    *,
    undone: bool = False,
) -> Recorded:
    """A version in the table and in the log. One that replaces another keeps its day, and the list it was made from:
    a correction is no new review."""
    row = content | {
        "review_id": secrets.token_hex(12),
        "patient_id": patient_id,
        "team_id": place.team_id,
        "run_id": old.run_id if old is not None else place.run_id,
        "reviewed_at": old.reviewed_at if old is not None else now,
        "written_at": now,
        "reviewer": caller.token_id,
        "reviewer_name": caller.label or caller.role_label,
        "idempotency_key": key,
        "undone": undone,
    }
    repository.add(connection, row)
    # All that it says is in the chain too, so that a review changed in its table is found.
    what = {
        "review_id": row["review_id"],
        "replaces": content["replaces"],
        "actions": content["actions"],
        ROW_HASH: content_hash(row),
    }
    if undone:
        what["undone"] = True
    append(connection, audit, Look(action, (patient_id,), place.team_id, place.run_id, detail=what))
    return Recorded(Review.model_validate({name: row.get(name) for name in Review.model_fields}), created=True)


def _check(review: ReviewIn, today: dt.date) -> None:
    wrong = []
    if len(set(review.actions)) < len(review.actions):
        wrong.append(FieldProblem(where="body.actions", what="names an action more than once"))
    if review.snooze_until is not None and not 0 < (review.snooze_until - today).days <= MAX_SNOOZE_DAYS:
        wrong.append(
            FieldProblem(
                where="body.snooze_until", what=f"must be after today and at most {MAX_SNOOZE_DAYS} days ahead"
            )
        )
    found = contradictions(review.actions, side_effects_assessed=review.side_effects_assessed)
    wrong += [FieldProblem(where=f"body.{one.field}", what=one.words) for one in found]
    if wrong:
        raise Problem(
            422, "invalid-request", "The review was not recorded; correct the fields named below.", errors=wrong
        )


def _replaced(connection: Connection, caller: Caller, patient_id: str, review_id: str | None) -> Row[Any] | None:
    """The version that a review corrects; None where it corrects none."""
    if review_id is None:
        return None
    old = repository.find(connection, caller, review_id)
    if old is None or old.patient_id != patient_id:
        wrong = FieldProblem(where="body.replaces", what="is no review of this person")
        raise Problem(
            422, "invalid-request", "The review was not recorded; correct the fields named below.", errors=[wrong]
        )
    if old.replaced_by is not None:
        raise _already_replaced()
    return old


def _already_replaced() -> Problem:
    return _conflict("already-replaced", "That version was replaced already; read the history and edit the newest one.")


def _conflict(kind: str, detail: str) -> Problem:
    return Problem(409, kind, detail)
