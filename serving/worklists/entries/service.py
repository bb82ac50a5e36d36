"""The entries of a list: what a row of it says about a person. One list and the list over several teams both use
this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row

from serving.gap_statuses.schemas import GapStatus
from serving.gap_statuses.service import statuses_of
from serving.identity.callers import Caller
from serving.summaries.words import glance_words
from serving.wording import about_in_100
from serving.work.repository import newest as newest_work
from serving.work.service import in_words
from serving.worklists.entries import repository
from serving.worklists.rules import CRITICAL, Slot, Standing
from serving.worklists.schemas import SHOWN_REASONS, Adjustment, GapLine, LastReview, NextDue, ReasonLine, WorklistEntry

_REASONS = TypeAdapter(list[ReasonLine])


def entries_of(
    connection: Connection,
    caller: Caller,
    rows: Sequence[Row[Any]],
    capacity: int | None,
    chosen: tuple[str, int],
    as_of: dt.date,
    explained: bool,
) -> dict[str, WorklistEntry]:
    """The entries of ``rows`` of ``everybody_of`` (worklists/repository.py), by person."""
    patients = [row.patient_id for row in rows]
    reasons = repository.reasons_of(connection, caller, patients, *chosen) if explained else {}
    gaps = repository.gap_lines(connection, caller, patients)
    reviews = repository.reviews_of(connection, caller, patients)
    statuses = statuses_of(connection, caller, patients, reviews, dt.datetime.now(dt.UTC).date())
    summaries = repository.summaries_of(connection, caller, patients)
    work = newest_work(connection, caller, patients)
    before = repository.risks_before(connection, caller, patients, *chosen, as_of) if explained else {}
    found = [
        WorklistEntry(
            position=row.position,
            rank=row.rank,
            tied=row.sharing > 1,
            within_capacity=None if capacity is None else bool(row.within),
            in_critical_band=in_band(row, capacity),
            patient_id=row.patient_id,
            probability=row.probability,
            in_words=about_in_100(row.probability),
            reasons=_REASONS.validate_python(reasons.get(row.patient_id, [])[:SHOWN_REASONS]) if explained else [],
            gaps=[_with_status(gap, statuses.get((row.patient_id, gap.code))) for gap in gaps.get(row.patient_id, ())],
            last_seen_on=row.last_seen_on,
            next_booked_on=row.next_booked_on,
            history_days=row.flags["history_days"],
            short_history=row.flags["short_history"],
            missing_sources=row.flags["missing_sources"],
            last_review=_last(reviews.get(row.patient_id)),
            adjustments=[Adjustment(kind, value) for kind, value in row.adjustments or ()],
            standing=_standing(row),
            slot=None if row.slot is None else Slot(row.slot),
            joined=bool(row.joined),
            listed_since=row.listed_since,
            snoozed_until=row.snoozed_until,
            work=in_words(work.get(row.patient_id), caller),
            risk_before=before.get(row.patient_id, []),
            **at_a_glance(summaries.get(row.patient_id), as_of),
        )
        for row in rows
    ]
    return dict(zip(patients, found, strict=True))


def in_band(row: Row[Any], capacity: int | None) -> bool:
    """The person is past the capacity and stands above the line: a critical safety gap."""
    return capacity is not None and not row.within and row.worst == CRITICAL


def at_a_glance(row: Row[Any] | None, as_of: dt.date) -> dict[str, Any]:
    """Medicines and the next due thing of a stored summary, in words."""
    if row is None:
        return {}
    lines, first = glance_words(row.medicines, row.about, row.dues)
    return {
        "medicines": list(lines),
        "next_due": NextDue(as_of + dt.timedelta(days=first[0]), first[1]) if first else None,
    }


def _standing(row: Row[Any]) -> Standing | None:
    """As published; a snooze recorded since counts at once."""
    if row.snoozed_until is not None:
        return Standing.SNOOZED
    return None if row.standing is None else Standing(row.standing)


def _with_status(gap: GapLine, status: GapStatus | None) -> GapLine:
    """The gap with the status that holds, in words."""
    return replace(gap, status=status.in_words) if status is not None and status.holds else gap


def _last(reviews: Sequence[Row[Any]] | None) -> LastReview | None:
    return LastReview(reviews[-1].reviewed_at, reviews[-1].reviewer_name) if reviews else None
