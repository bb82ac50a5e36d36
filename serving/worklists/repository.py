"""All queries over teams and worklists. Every one starts at ``visible_people`` or ``visible_teams``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Subquery,
    Table,
    and_,
    case,
    cast,
    exists,
    func,
    select,
)

from serving.security.callers import Caller
from serving.security.visible import visible_people, visible_teams
from serving.tables import gaps, people, publications, reviews, runs, scores, timelines
from serving.worklists.schemas import Filters, GapLine, Ranking, Reviewed

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
            scores.c.raised_by,
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


def page(
    connection: Connection, everybody: Select[Any], filters: Filters, now: dt.datetime, limit: int, offset: int
) -> tuple[list[Row[Any]], int]:
    """One page of what ``filters`` leave of ``ranked``, with the places of the whole list; and how many they leave."""
    listed = everybody.subquery("listed")
    kept = select(listed).where(*_conditions(listed, filters, now))
    total = connection.scalar(select(func.count()).select_from(kept.subquery("kept"))) or 0
    return list(connection.execute(kept.order_by(listed.c.position).limit(limit).offset(offset))), total


def _conditions(visible: Subquery, filters: Filters, now: dt.datetime) -> list[ColumnElement[bool]]:
    """What each filter asks of a row of ``ranked``, which holds only people the caller may see."""

    def same(table: Table) -> ColumnElement[bool]:
        return and_(table.c.run_id == visible.c.run_id, table.c.patient_id == visible.c.patient_id)

    found: list[ColumnElement[bool]] = []
    if filters.gap:
        found.append(exists().where(same(gaps), gaps.c.code == filters.gap))
    if filters.reason:
        found.append(visible.c.raised_by.contains(f",{filters.reason},", autoescape=True))
    if filters.medicine:
        holds = timelines.c.medicines.contains(f",{filters.medicine},", autoescape=True)
        found.append(exists().where(same(timelines), holds))
    if filters.reviewed:
        ever = exists().where(reviews.c.patient_id == visible.c.patient_id)
        days = 7 if filters.reviewed is Reviewed.WEEK else 28
        lately = ever.where(reviews.c.reviewed_at >= now - dt.timedelta(days=days))
        wanted = {Reviewed.NEVER: ~ever, Reviewed.NOT_MONTH: ~lately}.get(filters.reviewed, lately)
        found.append(wanted)
    return found


def choices(connection: Connection, everybody: Select[Any]) -> list[tuple[str, str]]:
    """(medicines held, main raising reasons) of everybody in ``ranked``, as they are stored between commas."""
    visible = everybody.subquery("listed")
    query = select(timelines.c.medicines, visible.c.raised_by).select_from(
        visible.outerjoin(
            timelines, and_(timelines.c.run_id == visible.c.run_id, timelines.c.patient_id == visible.c.patient_id)
        )
    )
    return [(row.medicines or "", row.raised_by) for row in connection.execute(query)]


def gap_choices(connection: Connection, everybody: Select[Any]) -> list[Row[Any]]:
    """``code``, ``title`` and ``people`` of each kind of care gap among everybody in ``ranked``, the commonest first."""
    visible = everybody.subquery("listed")
    number = func.count(gaps.c.patient_id.distinct())
    query = (
        select(gaps.c.code, func.min(gaps.c.title).label("title"), number.label("people"))
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .group_by(gaps.c.code)
        .order_by(number.desc(), gaps.c.code)
    )
    return list(connection.execute(query))


def adjustments_of(connection: Connection, caller: Caller, patients: Sequence[str]) -> dict[str, list[Any]]:
    """Recorded needs as [kind, value], by person."""
    visible = visible_people(caller)
    query = (
        select(timelines.c.patient_id, timelines.c.adjustments)
        .join(visible, and_(timelines.c.run_id == visible.c.run_id, timelines.c.patient_id == visible.c.patient_id))
        .where(timelines.c.patient_id.in_(patients))
    )
    return {row.patient_id: row.adjustments for row in connection.execute(query)}


def reviewed_since(connection: Connection, caller: Caller, team_id: str, since: dt.datetime) -> int:
    """How many of the team's people have a review recorded since then."""
    visible = visible_people(caller)
    query = (
        select(func.count(reviews.c.patient_id.distinct()))
        .join(visible, visible.c.patient_id == reviews.c.patient_id)
        .where(visible.c.team_id == team_id, reviews.c.reviewed_at >= since)
    )
    return connection.scalar(query) or 0


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
