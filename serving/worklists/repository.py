"""All queries over teams and worklists. Every one starts at ``visible_people`` or ``visible_teams``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, Connection, Integer, Row, Select, and_, case, cast, func, select

from serving.security.callers import Caller
from serving.security.visible import visible_people, visible_teams
from serving.tables import gaps, people, publications, reviews, runs, scores
from serving.worklists.schemas import GapLine, Ranking

NO_SAFETY_GAP = 9
EARLIER_LISTS = 6
PRESSING = ("critical", "high")
_SEVERITY = case({"critical": 0, "high": 1, "medium": 2, "low": 3}, value=gaps.c.severity, else_=4)


def teams(connection: Connection, caller: Caller, limit: int, offset: int) -> tuple[list[Row[Any]], int]:
    """Teams with ``people`` and ``people_with_safety_gap``, by name; and how many there are."""
    mine = visible_teams(caller).subquery("mine")
    visible = visible_people(caller)
    safety = _safety(visible).subquery("safety")
    counts = (
        select(
            visible.c.team_id,
            func.count().label("people"),
            func.count(safety.c.patient_id).label("people_with_safety_gap"),
        )
        .select_from(visible.outerjoin(safety, safety.c.patient_id == visible.c.patient_id))
        .group_by(visible.c.team_id)
        .subquery("counts")
    )
    query = (
        select(
            mine.c.team_id,
            mine.c.name,
            mine.c.weekly_reviews,
            func.coalesce(counts.c.people, 0).label("people"),
            func.coalesce(counts.c.people_with_safety_gap, 0).label("people_with_safety_gap"),
        )
        .select_from(mine.outerjoin(counts, counts.c.team_id == mine.c.team_id))
        .order_by(mine.c.name, mine.c.team_id)
    )
    total = connection.scalar(select(func.count()).select_from(mine)) or 0
    return list(connection.execute(query.limit(limit).offset(offset))), total


def team(connection: Connection, caller: Caller, team_id: str) -> Row[Any] | None:
    """One visible team, or None."""
    mine = visible_teams(caller).subquery("mine")
    return connection.execute(select(mine).where(mine.c.team_id == team_id)).first()


def ranked(caller: Caller, team_id: str, outcome: str, horizon: int, ranking: Ranking) -> Select[Any]:
    """Everybody in a team with ``rank``, ``tied``, ``position`` and ``safety_gap``; order by ``position``."""
    visible = visible_people(caller)
    safety = _safety(visible).subquery("safety")
    worst = func.coalesce(safety.c.worst, NO_SAFETY_GAP)
    by_risk = (scores.c.probability.desc(), scores.c.patient_id)
    order = by_risk if ranking is Ranking.RISK else (worst, func.coalesce(safety.c.number, 0).desc(), *by_risk)
    return (
        select(
            visible.c.run_id,
            visible.c.patient_id,
            scores.c.probability,
            people.c.last_seen_on,
            people.c.next_booked_on,
            people.c.flags,
            func.rank().over(order_by=scores.c.probability.desc()).label("rank"),
            func.count().over(partition_by=scores.c.probability).label("sharing"),
            func.row_number().over(order_by=order).label("position"),
            cast(case((safety.c.worst.is_(None), 0), else_=1), Integer).label("safety_gap"),
            worst.label("worst"),
        )
        .select_from(visible)
        .join(scores, and_(scores.c.run_id == visible.c.run_id, scores.c.patient_id == visible.c.patient_id))
        .join(
            people,
            and_(
                people.c.run_id == visible.c.run_id,
                people.c.patient_id == visible.c.patient_id,
                people.c.team_id == visible.c.team_id,
            ),
        )
        .outerjoin(safety, safety.c.patient_id == visible.c.patient_id)
        .where(visible.c.team_id == team_id, scores.c.outcome == outcome, scores.c.horizon_days == horizon)
    )


def page(connection: Connection, everybody: Select[Any], limit: int, offset: int) -> list[Row[Any]]:
    """One page of ``ranked``."""
    listed = everybody.subquery("listed")
    return list(connection.execute(select(listed).order_by(listed.c.position).limit(limit).offset(offset)))


def safety_below(connection: Connection, everybody: Select[Any], line: int, limit: int) -> list[Row[Any]]:
    """People past ``line`` in ``ranked`` who have a pressing safety gap, the most severe first, then by their place."""
    listed = everybody.subquery("listed")
    query = select(listed).where(listed.c.position > line, listed.c.safety_gap == 1)
    return list(connection.execute(query.order_by(listed.c.worst, listed.c.position).limit(limit)))


def totals(connection: Connection, everybody: Select[Any], line: int) -> Row[Any]:
    """``people``, ``safety`` (with a safety gap) and ``safety_below`` (of those, past ``line``)."""
    listed = everybody.subquery("listed")
    past = case((listed.c.position > line, listed.c.safety_gap), else_=0)
    query = select(
        func.count().label("people"),
        func.coalesce(func.sum(listed.c.safety_gap), 0).label("safety"),
        func.coalesce(func.sum(past), 0).label("safety_below"),
    ).select_from(listed)
    return connection.execute(query).one()


def reasons_of(
    connection: Connection, caller: Caller, patients: Sequence[str], outcome: str, horizon: int
) -> dict[str, list[dict[str, Any]]]:
    """Reasons of one outcome and horizon, by person."""
    visible = visible_people(caller)
    query = (
        select(scores.c.patient_id, scores.c.reasons)
        .join(visible, and_(scores.c.run_id == visible.c.run_id, scores.c.patient_id == visible.c.patient_id))
        .where(scores.c.patient_id.in_(patients), scores.c.outcome == outcome, scores.c.horizon_days == horizon)
    )
    return {row.patient_id: row.reasons for row in connection.execute(query)}


def gap_lines(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Care gaps in the order they are to be shown, by person, without their evidence."""
    visible = visible_people(caller)
    query = (
        select(gaps.c.patient_id, *(gaps.c[name] for name in GapLine.model_fields))
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(gaps.c.patient_id.in_(patients))
        .order_by(gaps.c.patient_id, gaps.c.position)
    )
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.patient_id, []).append(row)
    return found


def last_reviews(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, Row[Any]]:
    """The newest version that counts of the newest review, by person."""
    visible = visible_people(caller)
    replaced = select(reviews.c.replaces).where(reviews.c.replaces.is_not(None))
    query = (
        select(reviews.c.patient_id, reviews.c.reviewed_at, reviews.c.reviewer_name)
        .join(visible, visible.c.patient_id == reviews.c.patient_id)
        .where(reviews.c.patient_id.in_(patients), reviews.c.review_id.not_in(replaced))
        .order_by(reviews.c.reviewed_at)
    )
    return {row.patient_id: row for row in connection.execute(query)}


def risks_before(
    connection: Connection, caller: Caller, patients: Sequence[str], outcome: str, horizon: int, as_of: dt.date
) -> dict[str, list[Row[Any]]]:
    """The same risk in the last ``EARLIER_LISTS`` published lists of earlier days, oldest first, by person."""
    visible = visible_people(caller)
    earlier = (
        select(runs.c.as_of, func.max(publications.c.publication_id).label("newest"))
        .join(publications, publications.c.run_id == runs.c.run_id)
        .where(runs.c.as_of < as_of)
        .group_by(runs.c.as_of)
        .order_by(runs.c.as_of.desc())
        .limit(EARLIER_LISTS)
        .subquery("earlier")
    )
    query = (
        select(scores.c.patient_id, earlier.c.as_of, scores.c.probability)
        .join(publications, publications.c.run_id == scores.c.run_id)
        .join(earlier, earlier.c.newest == publications.c.publication_id)
        .join(visible, visible.c.patient_id == scores.c.patient_id)
        .where(scores.c.patient_id.in_(patients), scores.c.outcome == outcome, scores.c.horizon_days == horizon)
        .distinct()
        .order_by(earlier.c.as_of)
    )
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.patient_id, []).append(row)
    return found


def _safety(visible: CTE) -> Select[Any]:
    """People with a pressing safety gap: ``patient_id``, ``worst`` (0 is critical) and ``number``.

    A safety gap of medium or low severity is on the person's row like any other; it does not call for attention past the capacity line.
    """
    return (
        select(gaps.c.patient_id, func.min(_SEVERITY).label("worst"), func.count().label("number"))
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(gaps.c.safety.is_(True), gaps.c.severity.in_(PRESSING))
        .group_by(gaps.c.patient_id)
    )
