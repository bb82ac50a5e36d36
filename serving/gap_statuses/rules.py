"""When a status of a gap may be set, and when it stops to hold. Rules only: nothing here reads a database.

A status ends at its date, by a person, or by new evidence. It never ends because nothing happened. A critical gap is
never set aside for more than seven days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from serving.gap_statuses.schemas import (
    MOST_DAYS,
    MOST_DAYS_CRITICAL,
    STATUS_LABELS,
    WHY_NOT_LABELS,
    GapStatus,
    Status,
    StatusIn,
    WhyNot,
)
from serving.http.problems import FieldProblem
from serving.wording import day as day_words

REVIEW_GAP = "MEDICINES_REVIEW_OVERDUE"
REVIEW_HOLDS_DAYS = 365
NOT_A_REVIEW = frozenset({"not_reached"})


class StoredStatus(Protocol):
    """A row of ``gap_statuses``."""

    code: str
    status: str
    until: dt.date | None
    why: str | None
    set_at: dt.datetime
    set_by_name: str
    basis: list[str]


def basis_of(evidence: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows a gap rests on, as text that can be compared with a later list's: table, day and what it says."""
    return sorted({f"{row.get('table')}|{row.get('on')}|{row.get('what')}" for row in evidence})


def problems_with(sent: StatusIn, severity: str, today: dt.date) -> list[FieldProblem]:
    """What is wrong with a status for a gap of this severity; empty where nothing is."""
    if sent.status is Status.OPEN:
        wrong = [name for name in ("until", "why") if getattr(sent, name) is not None]
        return [FieldProblem(where=f"body.{name}", what="is not used when a status is taken back") for name in wrong]
    found = []
    most = min(MOST_DAYS[sent.status], MOST_DAYS_CRITICAL if severity == "critical" else 366)
    if sent.until is None or not 0 < (sent.until - today).days <= most:
        limit = f"a critical gap can be set aside for {most} days" if severity == "critical" else f"at most {most} days"
        found.append(FieldProblem(where="body.until", what=f"must be a day after today; {limit}"))
    if (sent.why is None) == (sent.status is Status.NOT_APPLICABLE):
        needed = "says why the gap does not apply" if sent.why is None else "belongs to not_applicable only"
        found.append(FieldProblem(where="body.why", what=needed))
    return found


def judged(
    stored: StoredStatus, severity: str, evidence: Sequence[Mapping[str, Any]], today: dt.date
) -> GapStatus | None:
    """The newest status of a gap as it stands today; None where it was taken back."""
    status = Status(stored.status)
    if status is Status.OPEN:
        return None
    ended = _why_it_ended(stored, severity, evidence, today)
    return GapStatus(
        code=stored.code,
        status=status,
        until=stored.until,
        why=WhyNot(stored.why) if stored.why else None,
        set_at=stored.set_at,
        set_by=stored.set_by_name,
        holds=not ended,
        ended=ended,
        in_words=in_words(status, stored.until, WhyNot(stored.why) if stored.why else None),
    )


def in_words(status: Status, until: dt.date | None, why: WhyNot | None) -> str:
    """``Booked until 12 January 2026``."""
    said = STATUS_LABELS[status]
    if why is not None:
        said += f" ({WHY_NOT_LABELS[why][0].lower()}{WHY_NOT_LABELS[why][1:]})"
    return f"{said}, until {day_words(until)}" if until else said


def reviewed_here(
    code: str, evidence: Sequence[Mapping[str, Any]], reviews: Sequence[Any], today: dt.date
) -> GapStatus | None:
    """The status that a review recorded in Upstream gives to the gap of the overdue review; None where none does.

    ``reviews`` are rows with ``actions``, ``reviewed_at`` and ``reviewer_name``. A review counts for a year, and not if
    the gap rests on something later (a discharge), and not if the person was only not reached.
    """
    if code != REVIEW_GAP:
        return None
    newest = max((str(row.get("on") or "") for row in evidence), default="")
    for review in sorted(reviews, key=lambda row: row.reviewed_at, reverse=True):
        day = review.reviewed_at.date()
        if set(review.actions) <= NOT_A_REVIEW or day.isoformat() <= newest:
            continue
        until = day + dt.timedelta(days=REVIEW_HOLDS_DAYS)
        if today < until:
            return GapStatus(
                code=code,
                status=Status.DONE,
                until=until,
                why=None,
                set_at=review.reviewed_at,
                set_by=review.reviewer_name,
                holds=True,
                ended="",
                in_words=f"Reviewed in Upstream on {day_words(day)}",
            )
    return None


def _why_it_ended(stored: StoredStatus, severity: str, evidence: Sequence[Mapping[str, Any]], today: dt.date) -> str:
    if stored.until is not None and today >= stored.until:
        return f"Open again: {day_words(stored.until)} has come"
    if severity == "critical" and (today - stored.set_at.date()).days >= MOST_DAYS_CRITICAL:
        return f"Open again: it is critical, and {MOST_DAYS_CRITICAL} days have passed"
    if new := sorted(set(basis_of(evidence)) - set(stored.basis)):
        _, on, what = new[-1].split("|", 2)
        return f"Open again: new on record, {what}{f' ({on})' if on != 'None' else ''}"
    return ""
