"""All queries over what a worklist shows of each person. Every one starts at ``visible_people``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import CTE, Connection, Select, Text, and_, case, cast, func, select

from serving.identity.callers import Caller
from serving.storage.explanations import of_row, whole
from serving.storage.tables import gaps, publications, reviews, runs, score_explanations, scores, summaries
from serving.storage.visible import KEPT, PATIENTS, all_of, of_seen, published_run, review_counts, seen, visible_people
from serving.worklists.schemas import GapLine, RiskBefore

EARLIER_LISTS = 6
_GAP_LINE = tuple(field.name for field in fields(GapLine) if field.name != "status")


def reasons_of(
    connection: Connection, caller: Caller, patients: Sequence[str], outcome: str, horizon: int
) -> dict[str, list[dict[str, Any]]]:
    """Reasons of one outcome and horizon, by person."""
    visible = visible_people(caller)
    query = (
        select(scores.c.patient_id, *whole(scores, "reasons"))
        .outerjoin(score_explanations, of_row(scores))
        .where(
            of_seen(visible, scores),
            scores.c.patient_id.in_(all_of(patients)),
            scores.c.outcome == outcome,
            scores.c.horizon_days == horizon,
        )
    )
    return {row.patient_id: row.reasons for row in connection.execute(query).all()}


def gap_lines(
    connection: Connection, caller: Caller, patients: Sequence[str], codes: Sequence[str] = ()
) -> dict[str, list[GapLine]]:
    """Care gaps in the order they are to be shown, by person, without their evidence; those of ``codes`` where some
    are given."""
    person = gaps.c.patient_id
    query = (
        select(person, *(gaps.c[name] for name in _GAP_LINE))
        .where(
            of_seen(visible_people(caller), gaps),
            person.in_(all_of(patients)),
            *([gaps.c.code.in_(codes)] if codes else []),
        )
        .order_by(person, gaps.c.position)
    )
    found: dict[str, list[GapLine]] = {}
    for patient, *values in connection.execute(query).all():
        found.setdefault(patient, []).append(GapLine(*values))
    return found


def first_gaps(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, tuple[GapLine, int]]:
    """The care gap that a dense line names, and how many the person has in all: the first that is shown unasked, else
    the first. A team of 500 people has thousands, and a page shows one of each person."""
    person = gaps.c.patient_id
    shown = func.min(case((gaps.c.shown.is_(True), gaps.c.position)))
    first = (
        select(person, func.coalesce(shown, func.min(gaps.c.position)).label("position"), func.count().label("number"))
        .where(of_seen(visible_people(caller), gaps), person.in_(all_of(patients)))
        .group_by(person)
        .subquery("first")
    )
    query = select(person, first.c.number, *(gaps.c[name] for name in _GAP_LINE)).join(
        first, and_(person == first.c.patient_id, gaps.c.position == first.c.position)
    )
    rows = connection.execute(query.where(gaps.c.run_id == published_run().scalar_subquery())).all()
    return {patient: (GapLine(*values), number) for patient, number, *values in rows}


def summaries_of(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, Any]:
    """``medicines``, ``about`` and ``dues`` as the text they are stored in, by person; nobody in a run made before they
    were kept."""
    visible = visible_people(caller)
    stored = (cast(summaries.c[name], Text).label(name) for name in ("medicines", "about", "dues"))
    query = select(summaries.c.patient_id, *stored).where(
        of_seen(visible, summaries), summaries.c.patient_id.in_(all_of(patients))
    )
    return {row.patient_id: row for row in connection.execute(query)}


def summaries_before(
    connection: Connection, caller: Caller, patients: Sequence[str], as_of: dt.date
) -> dict[str, tuple[Any, dt.date]]:
    """The same of the last list published for an earlier day, with that day, by person; nobody where none is kept."""
    last = connection.execute(
        select(runs.c.run_id, runs.c.as_of)
        .join(publications, publications.c.run_id == runs.c.run_id)
        .where(runs.c.as_of < as_of)
        .order_by(runs.c.as_of.desc(), publications.c.publication_id.desc())
        .limit(1)
    ).first()
    if last is None:
        return {}
    stored = (cast(summaries.c[name], Text).label(name) for name in ("medicines", "about", "dues"))
    query = select(summaries.c.patient_id, *stored).where(
        summaries.c.run_id == last.run_id,
        summaries.c.patient_id.in_(all_of(patients)),
        # Seen now means that their past is too.
        summaries.c.patient_id.in_(select(visible_people(caller).c.patient_id)),
    )
    return {row.patient_id: (row, last.as_of) for row in connection.execute(query)}


def reviews_of(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, list[Any]]:
    """``reviewed_at``, ``reviewer_name`` and ``actions`` of the reviews that count, oldest first, by person."""
    found: dict[str, list[Any]] = {}
    for row in connection.execute(_reviews_of(visible_people(caller)), {"patients": list(patients)}):
        found.setdefault(row.patient_id, []).append(row)
    return found


@lru_cache(maxsize=KEPT)
def _reviews_of(visible: CTE) -> Select[Any]:
    return (
        select(reviews.c.patient_id, reviews.c.reviewed_at, reviews.c.reviewer_name, reviews.c.actions)
        .where(seen(visible, reviews), reviews.c.patient_id.in_(PATIENTS), review_counts())
        .order_by(reviews.c.reviewed_at)
    )


def risks_before(
    connection: Connection, caller: Caller, patients: Sequence[str], outcome: str, horizon: int, as_of: dt.date
) -> dict[str, list[RiskBefore]]:
    """The same risk in the last ``EARLIER_LISTS`` published lists of earlier days, oldest first, by person: ``as_of``
    and ``probability``."""
    newest = (
        select(func.max(publications.c.publication_id).label("publication_id"))
        .join(runs, runs.c.run_id == publications.c.run_id)
        .where(runs.c.as_of < as_of)
        .group_by(runs.c.as_of)
        .order_by(runs.c.as_of.desc())
        .limit(EARLIER_LISTS)
        .subquery("newest")
    )
    earlier = (
        select(publications.c.run_id, runs.c.as_of)
        .join(newest, newest.c.publication_id == publications.c.publication_id)
        .join(runs, runs.c.run_id == publications.c.run_id)
    )
    days = {row.run_id: row.as_of for row in connection.execute(earlier)}
    visible = visible_people(caller)
    query = select(scores.c.run_id, scores.c.patient_id, scores.c.probability).where(
        scores.c.run_id.in_(list(days)),
        scores.c.outcome == outcome,
        scores.c.horizon_days == horizon,
        scores.c.patient_id.in_(all_of(patients)),
        # Seen now means that their past is too.
        scores.c.patient_id.in_(select(visible.c.patient_id)),
    )
    found: dict[str, list[RiskBefore]] = {}
    for run_id, patient, probability in connection.execute(query).all():
        found.setdefault(patient, []).append(RiskBefore(days[run_id], probability))
    for risks in found.values():
        risks.sort(key=attrgetter("as_of"))
    return found
