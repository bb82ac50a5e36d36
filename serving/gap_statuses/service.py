"""Statuses of gaps. The JSON route and the form of the page both call ``set_status``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.gap_statuses import repository
from serving.gap_statuses.rules import basis_of, in_words, judged, problems_with, reviewed_here
from serving.gap_statuses.schemas import GapStatus, GapStatuses, Status, StatusIn, WhyNot
from serving.http.problems import ChangedMeanwhile, Problem, not_found
from serving.identity.callers import Caller
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.visible import place_of


def set_status(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    code: str,
    sent: StatusIn,
    now: dt.datetime | None = None,
    *,
    page_opened_at: dt.datetime | None = None,
) -> GapStatus:
    """Record a status of a gap of the published list, in one transaction with its audit event.

    ``Problem`` 404 for a person the caller may not see, or a gap that is not on the published list; 403 for somebody
    with emergency access only; 422 for an impossible date or reason; ``ChangedMeanwhile`` where the page that it
    was set on does not show the newest status.
    """
    now = now or dt.datetime.now(dt.UTC)
    try:
        with database.write(caller) as connection:
            place = place_of(connection, caller, patient_id)
            if place is not None:
                before = repository.newest(connection, caller, [patient_id]).get(patient_id, {}).get(code)
                if before is not None and page_opened_at is not None and before.set_at >= page_opened_at:
                    raise ChangedMeanwhile
                return _recorded(connection, caller, audit, patient_id, code, sent, now, place)
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None
    audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
    raise not_found()


def status_history(database: Database, caller: Caller, audit: Audit, patient_id: str) -> GapStatuses:
    """All statuses of a person's gaps, newest first. 404 if the caller may not see them; both are audited."""
    today = dt.datetime.now(dt.UTC).date()
    with database.read(caller) as connection:
        place = place_of(connection, caller, patient_id)
        rows = repository.history(connection, caller, patient_id) if place else []
        newest = statuses_of(connection, caller, [patient_id], {}, today)
    if place is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()
    audit.record(Look("gap_statuses.seen", (patient_id,), place.team_id, place.run_id))
    seen: set[str] = set()
    items = []
    for row in rows:
        ended = "Replaced by a later one" if row.code in seen else ""
        if not ended and row.status != Status.OPEN:
            judged_now = newest.get((patient_id, row.code))
            ended = judged_now.ended if judged_now is not None else "The gap is not on the published list now"
        seen.add(row.code)
        why = WhyNot(row.why) if row.why else None
        items.append(
            GapStatus(
                code=row.code,
                status=Status(row.status),
                until=row.until,
                why=why,
                set_at=row.set_at,
                set_by=row.set_by_name,
                holds=not ended,
                ended=ended,
                in_words=in_words(Status(row.status), row.until, why),
            )
        )
    return GapStatuses(patient_id=patient_id, items=items)


def statuses_of(
    connection: Connection,
    caller: Caller,
    patients: Sequence[str],
    reviews_by_person: Mapping[str, Sequence[Any]],
    today: dt.date,
) -> dict[tuple[str, str], GapStatus]:
    """By person and code of the published run: the newest status, which may have ended, or what a review recorded
    in Upstream says. ``reviews_by_person`` holds rows with ``actions``, ``reviewed_at`` and ``reviewer_name``."""
    newest = repository.newest(connection, caller, patients)
    found = {}
    for gap in repository.gaps_of(connection, caller, [*newest, *(reviews_by_person.keys() - newest.keys())]):
        stored = newest.get(gap.patient_id, {}).get(gap.code)
        status = judged(stored, gap.severity, gap.evidence, today) if stored is not None else None
        if status is None or not status.holds:
            reviews = reviews_by_person.get(gap.patient_id, ())
            status = reviewed_here(gap.code, gap.evidence, reviews, today) or status
        if status is not None:
            found[gap.patient_id, gap.code] = status
    return found


def _recorded(
    connection: Connection,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    code: str,
    sent: StatusIn,
    now: dt.datetime,
    place: Any,
) -> GapStatus:
    gap = repository.gap(connection, caller, patient_id, code)
    if gap is None:
        raise Problem(404, "no-such-gap", "The published list holds no such gap for this person.")
    if caller.is_beyond(place.team_id):
        raise Problem(403, "forbidden", "Emergency access is for reading; the person's own team sets a status.")
    if wrong := problems_with(sent, gap.severity, now.date()):
        raise Problem(422, "invalid-request", "The status was not set; correct the fields named below.", errors=wrong)
    row = {
        "patient_id": patient_id,
        "team_id": place.team_id,
        "run_id": place.run_id,
        "code": code,
        "status": sent.status.value,
        "until": sent.until,
        "why": sent.why.value if sent.why else None,
        "severity": gap.severity,
        "basis": basis_of(gap.evidence),
        "set_at": now,
        "set_by": caller.token_id,
        "set_by_name": caller.label or caller.role_label,
    }
    repository.add(connection, row)
    what = {name: row[name] for name in ("code", "status", "why")} | {"until": sent.until and sent.until.isoformat()}
    action = "gap_status.taken_back" if sent.status is Status.OPEN else "gap_status.set"
    append(connection, audit, Look(action, (patient_id,), place.team_id, place.run_id, detail=what))
    return GapStatus(
        code=code,
        status=sent.status,
        until=sent.until,
        why=sent.why,
        set_at=now,
        set_by=str(row["set_by_name"]),
        holds=sent.status is not Status.OPEN,
        ended="",
        in_words=in_words(sent.status, sent.until, sent.why),
    )
