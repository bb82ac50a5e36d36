"""Counts of a week over people. Every query starts at ``visible_people``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, select

from serving.identity.callers import Caller
from serving.storage.tables import gaps, work_items
from serving.storage.visible import visible_people, work_is_done


def critical(connection: Connection, caller: Caller) -> dict[str, int]:
    """How many people of each team have a critical safety gap."""
    visible = visible_people(caller)
    query = (
        select(visible.c.team_id, func.count(gaps.c.patient_id.distinct()))
        .join(gaps, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(gaps.c.safety.is_(True), gaps.c.severity == "critical")
        .group_by(visible.c.team_id)
    )
    return {team: number for team, number in connection.execute(query)}


def shared_out(connection: Connection, caller: Caller) -> dict[str, Row[Any]]:
    """By team: how many people are ``given`` to a colleague, and how many are still to do ``this_week``."""
    visible = visible_people(caller)
    newest = (
        select(func.max(work_items.c.item_id).label("item_id"))
        .group_by(work_items.c.patient_id, work_items.c.team_id)
        .subquery("newest")
    )
    open_now = and_(work_items.c.this_week.is_(True), ~work_is_done())
    query = (
        select(
            visible.c.team_id,
            func.count(work_items.c.given_to).label("given"),
            func.count(case((open_now, 1))).label("this_week"),
        )
        .join(
            work_items,
            and_(work_items.c.patient_id == visible.c.patient_id, work_items.c.team_id == visible.c.team_id),
        )
        .join(newest, newest.c.item_id == work_items.c.item_id)
        .group_by(visible.c.team_id)
    )
    return {row.team_id: row for row in connection.execute(query)}
