"""The entries of a list: what a row of it says about a person. One list and the list over several teams both use
this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from pydantic_core import from_json
from sqlalchemy import Connection, Row

from serving.gap_statuses.schemas import GapStatus
from serving.gap_statuses.service import statuses_of
from serving.identity.callers import Caller
from serving.summaries.schemas import ClosedShown
from serving.summaries.words import glance_words
from serving.wording import about_in_100
from serving.work.repository import newest as newest_work
from serving.work.service import in_words
from serving.worklists.entries import repository
from serving.worklists.places import PlacedPerson
from serving.worklists.rules import CRITICAL, Slot, Standing
from serving.worklists.schemas import SHOWN_REASONS, Adjustment, GapLine, LastReview, NextDue, ReasonLine, WorklistEntry


class Entries(NamedTuple):
    """What a list shows of each person; ``more_gaps`` counts the care gaps that a dense line leaves out."""

    by_person: dict[str, WorklistEntry]
    more_gaps: dict[str, int]


_REASONS = TypeAdapter(list[ReasonLine])


def entries_of(
    connection: Connection,
    caller: Caller,
    rows: Sequence[PlacedPerson],
    capacity: int | None,
    chosen: tuple[str, int],
    as_of: dt.date,
    explained: bool,
) -> Entries:
    """The entries of ``rows``, by person. ``explained``: with reasons, earlier risks and every care gap."""
    patients = [row.patient_id for row in rows]
    reasons = repository.reasons_of(connection, caller, patients, *chosen) if explained else {}
    gaps = repository.gap_lines(connection, caller, patients) if explained else {}
    firsts = {} if explained else repository.first_gaps(connection, caller, patients)
    gaps |= {patient: [gap] for patient, (gap, _) in firsts.items()}
    reviews = repository.reviews_of(connection, caller, patients)
    statuses = statuses_of(connection, caller, patients, reviews, dt.datetime.now(dt.UTC).date())
    summaries = repository.summaries_of(connection, caller, patients)
    glances = {patient: at_a_glance(summaries.get(patient), as_of) for patient in patients}
    glances = _newly_closed(connection, caller, glances, as_of)
    work = newest_work(connection, caller, patients)
    before = repository.risks_before(connection, caller, patients, *chosen, as_of) if explained else {}
    found = [
        WorklistEntry(
            position=row.position,
            rank=row.rank,
            tied=row.sharing > 1,
            within_capacity=None if capacity is None else row.within,
            in_critical_band=in_band(row, capacity),
            patient_id=row.patient_id,
            probability=row.probability,
            in_words=about_in_100(row.probability),
            reasons=_REASONS.validate_python(reasons.get(row.patient_id, [])[:SHOWN_REASONS]) if explained else [],
            gaps=[_with_status(gap, statuses.get((row.patient_id, gap.code))) for gap in gaps.get(row.patient_id, ())],
            last_seen_on=row.last_seen_on,
            next_booked_on=row.next_booked_on,
            history_days=flags["history_days"],
            short_history=flags["short_history"],
            missing_sources=flags["missing_sources"],
            last_review=_last(reviews.get(row.patient_id)),
            adjustments=_adjustments(row.adjustments),
            standing=_standing(row),
            slot=None if row.slot is None else Slot(row.slot),
            joined=bool(row.joined),
            listed_since=row.listed_since,
            snoozed_until=row.snoozed_until,
            work=in_words(work.get(row.patient_id), caller),
            risk_before=before.get(row.patient_id, []),
            **glances[row.patient_id],
        )
        for row, flags in ((row, from_json(row.flags)) for row in rows)
    ]
    return Entries(dict(zip(patients, found, strict=True)), {one: number - 1 for one, (_, number) in firsts.items()})


def in_band(row: PlacedPerson, capacity: int | None) -> bool:
    """The person is past the capacity and stands above the line: a critical safety gap."""
    return capacity is not None and not row.within and row.worst == CRITICAL


def at_a_glance(row: Row[Any] | None, as_of: dt.date) -> dict[str, Any]:
    """What a row says of a stored summary: medicines, what falls due next, what is closed and was not checked."""
    if row is None:
        return {}
    said = glance_words(row.medicines, row.about, row.dues)
    first = said.next_due
    return {
        "medicines": list(said.medicines),
        "next_due": NextDue(as_of + dt.timedelta(days=first[0]), first[1]) if first else None,
        "closed": [
            ClosedShown(code, what, as_of + dt.timedelta(days=day), late) for code, what, day, late in said.closed
        ],
        "unchecked": None if said.unchecked is None else list(said.unchecked),
    }


def _newly_closed(
    connection: Connection, caller: Caller, glances: dict[str, dict[str, Any]], as_of: dt.date
) -> dict[str, dict[str, Any]]:
    """The glances without the closings that the list before had already."""
    some = [patient for patient, glance in glances.items() if glance.get("closed")]
    if not some:
        return glances
    known = {
        patient: {(one.code, one.what, one.on) for one in at_a_glance(row, day).get("closed", ())}
        for patient, (row, day) in repository.summaries_before(connection, caller, some, as_of).items()
    }
    return {
        patient: {
            **glance,
            "closed": [one for one in glance["closed"] if (one.code, one.what, one.on) not in known.get(patient, ())],
        }
        if glance
        else glance
        for patient, glance in glances.items()
    }


def _adjustments(stored: str | None) -> list[Adjustment]:
    return [Adjustment(kind, value) for kind, value in from_json(stored)] if stored not in (None, "[]", "null") else []


def _standing(row: PlacedPerson) -> Standing | None:
    """As published; a snooze recorded since counts at once."""
    if row.snoozed_until is not None:
        return Standing.SNOOZED
    return None if row.standing is None else Standing(row.standing)


def _with_status(gap: GapLine, status: GapStatus | None) -> GapLine:
    """The gap with the status that holds, in words."""
    return replace(gap, status=status.in_words) if status is not None and status.holds else gap


def _last(reviews: Sequence[Row[Any]] | None) -> LastReview | None:
    return LastReview(reviews[-1].reviewed_at, reviews[-1].reviewer_name) if reviews else None
