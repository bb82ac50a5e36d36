"""All queries over a team as a whole. Each starts at ``visible_people``."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, select

from serving.identity.callers import Caller
from serving.storage.tables import gaps, list_lines, people, person_groups, reviews
from serving.storage.visible import review_counts, visible_people
from serving.worklists.rules import PRESSING, Standing

_SEVERITY = case({"critical": 0, "high": 1, "medium": 2, "low": 3}, value=gaps.c.severity, else_=4)


def gap_kinds(connection: Connection, caller: Caller, team_id: str) -> list[Row[Any]]:
    """``code``, ``title``, ``worst`` (0 is critical), ``safety``, ``people``, ``longest_overdue`` and ``verified`` (of
    all of them) of each kind, the worst first."""
    visible = visible_people(caller)
    worst, number = func.min(_SEVERITY), func.count(gaps.c.patient_id.distinct())
    safety = func.max(case((gaps.c.safety.is_(True), 1), else_=0))
    query = (
        select(
            gaps.c.code,
            func.min(gaps.c.title).label("title"),
            worst.label("worst"),
            safety.label("safety"),
            number.label("people"),
            func.max(gaps.c.days_overdue).label("longest_overdue"),
            func.min(case((gaps.c.verified.is_(True), 1), else_=0)).label("verified"),
        )
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(visible.c.team_id == team_id)
        .group_by(gaps.c.code)
        .order_by(safety.desc(), worst, number.desc(), gaps.c.code)
    )
    return list(connection.execute(query))


def people_with_safety_gap(connection: Connection, caller: Caller, team_id: str) -> int:
    """How many people of the team have a pressing safety gap."""
    visible = visible_people(caller)
    query = (
        select(func.count(gaps.c.patient_id.distinct()))
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(visible.c.team_id == team_id, gaps.c.safety.is_(True), gaps.c.severity.in_(PRESSING))
    )
    return connection.scalar(query) or 0


def everybody(connection: Connection, caller: Caller, team_id: str) -> list[Row[Any]]:
    """Everybody in the team: last seen, next booked, flags, groups, and whether they have a place on the list; unseen
    for longest first."""
    visible = visible_people(caller)
    same = {
        table: and_(table.c.run_id == visible.c.run_id, table.c.patient_id == visible.c.patient_id)
        for table in (people, person_groups, list_lines)
    }
    query = (
        select(
            visible.c.patient_id,
            people.c.last_seen_on,
            people.c.next_booked_on,
            people.c.flags,
            person_groups.c.groups,
            case((list_lines.c.standing == Standing.LISTED.value, 1), else_=0).label("listed"),
        )
        .join(people, and_(same[people], people.c.team_id == visible.c.team_id))
        .outerjoin(person_groups, same[person_groups])
        .outerjoin(list_lines, and_(same[list_lines], list_lines.c.team_id == visible.c.team_id))
        .where(visible.c.team_id == team_id)
        .order_by(case((people.c.last_seen_on.is_(None), 0), else_=1), people.c.last_seen_on, visible.c.patient_id)
    )
    return list(connection.execute(query))


def reviews_since(connection: Connection, caller: Caller, team_id: str, since: dt.datetime) -> list[Row[Any]]:
    """(patient_id, reviewed_at, listing_was) of valid reviews of people now in the team."""
    visible = visible_people(caller)
    query = (
        select(reviews.c.patient_id, reviews.c.reviewed_at, reviews.c.listing_was)
        .join(visible, visible.c.patient_id == reviews.c.patient_id)
        .where(visible.c.team_id == team_id, reviews.c.reviewed_at >= since, review_counts())
    )
    return list(connection.execute(query))
