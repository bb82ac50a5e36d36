"""All queries over teams and worklists. Every one starts at ``visible_people`` or ``visible_teams``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    select,
    true,
)

from serving.identity.callers import Caller
from serving.storage.tables import (
    gaps,
    list_lines,
    people,
    reviews,
    runs,
    scores,
    timelines,
    work_items,
)
from serving.storage.visible import of_seen, published_run, review_counts, visible_people, visible_teams, work_is_done
from serving.worklists.places import STORED
from serving.worklists.rules import CRITICAL, NO_SAFETY_GAP, PRESSING
from serving.worklists.schemas import Filters, Reviewed, WorkOf

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


def own_teams(connection: Connection, caller: Caller) -> list[Row[Any]]:
    """The caller's teams of the published run, by name: those that emergency access opened are not among them."""
    mine = visible_teams(caller).subquery("mine")
    return list(connection.execute(select(mine).order_by(mine.c.name, mine.c.team_id)))


def _of_same(table: Any, visible: CTE) -> Any:
    """The row is about the same person of the same team in the same run."""
    return and_(
        table.c.run_id == visible.c.run_id,
        table.c.patient_id == visible.c.patient_id,
        table.c.team_id == visible.c.team_id,
    )


def _snoozed_until(visible: CTE, worst: ColumnElement[int]) -> ColumnElement[dt.date | None]:
    """The day to which the person's newest review put them off, if it is after the run's and no gap is critical.

    Asked for each person of the list: PostgreSQL joined a query over all reviews by reading every review again for
    each person, which took seconds with some thousand reviews.
    """
    newest = (
        select(reviews.c.snooze_until)
        .where(reviews.c.patient_id == visible.c.patient_id, review_counts())
        .order_by(reviews.c.reviewed_at.desc(), reviews.c.review_id)
        .limit(1)
        .correlate(visible)
        .scalar_subquery()
    )
    as_of = select(runs.c.as_of).where(runs.c.run_id == published_run().scalar_subquery()).scalar_subquery()
    return case((and_(newest > as_of, worst != CRITICAL), newest))


def everybody_of(
    connection: Connection,
    caller: Caller,
    team_id: str,
    outcome: str,
    horizon: int,
    filters: Filters,
    now: dt.datetime,
) -> list[Row[Any]]:
    """Everybody in a team, with the columns ``STORED``, in no order: ``kept`` is 1 where the filters leave the row.

    One reading of the whole list, from which pages, counts and filter choices are taken: a team is hundreds of people,
    and the places of all of them are worked out for any page.
    """
    visible = visible_people(caller)
    # Asked for each person: SQLite joins a grouped subquery by reading all of it for each row.
    pressing = (
        gaps.c.run_id == visible.c.run_id,
        gaps.c.patient_id == visible.c.patient_id,
        gaps.c.safety.is_(True),
        gaps.c.severity.in_(PRESSING),
    )
    worst = func.coalesce(select(func.min(_SEVERITY)).where(*pressing).scalar_subquery(), NO_SAFETY_GAP)
    kept = and_(true(), *_conditions(visible, filters, now, caller.person))
    columns: dict[str, Any] = {
        **{name: list_lines.c[name] for name in ("place", "standing", "slot", "joined", "listed_since")},
        **{name: people.c[name] for name in ("last_seen_on", "next_booked_on")},
        "patient_id": visible.c.patient_id,
        "team_id": visible.c.team_id,
        "probability": scores.c.probability,
        "raised_by": scores.c.raised_by,
        "medicines": timelines.c.medicines,
        "worst": worst,
        "safety_gaps": select(func.count()).select_from(gaps).where(*pressing).scalar_subquery(),
        "snoozed_until": _snoozed_until(visible, worst),
        "flags": cast(people.c.flags, Text),
        "adjustments": cast(timelines.c.adjustments, Text),
        "kept": case((kept, 1), else_=0),
    }
    query = (
        select(*(columns[name].label(name) for name in STORED))
        .select_from(visible)
        .join(people, _of_same(people, visible))
        .join(scores, and_(scores.c.run_id == visible.c.run_id, scores.c.patient_id == visible.c.patient_id))
        .outerjoin(list_lines, _of_same(list_lines, visible))
        .outerjoin(
            timelines, and_(timelines.c.run_id == visible.c.run_id, timelines.c.patient_id == visible.c.patient_id)
        )
        .where(visible.c.team_id == team_id, scores.c.outcome == outcome, scores.c.horizon_days == horizon)
    )
    return list(connection.execute(query).all())


def _conditions(visible: CTE, filters: Filters, now: dt.datetime, person: str) -> list[ColumnElement[bool]]:
    """What each filter asks of a person whom the caller may see. ``person`` is who asks."""
    found: list[ColumnElement[bool]] = []
    if filters.gap:
        own = and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id)
        found.append(exists().where(own, gaps.c.code == filters.gap))
    if filters.reason:
        found.append(scores.c.raised_by.contains(f",{filters.reason},", autoescape=True))
    if filters.medicine:
        found.append(timelines.c.medicines.contains(f",{filters.medicine},", autoescape=True))
    if filters.reviewed:
        ever = exists().where(reviews.c.patient_id == visible.c.patient_id, review_counts())
        days = 7 if filters.reviewed is Reviewed.WEEK else 28
        lately = ever.where(reviews.c.reviewed_at >= now - dt.timedelta(days=days))
        wanted = {Reviewed.NEVER: ~ever, Reviewed.NOT_MONTH: ~lately}.get(filters.reviewed, lately)
        found.append(wanted)
    if filters.work:
        found.append(_work_is(visible, filters.work, person))
    return found


def _work_is(visible: CTE, wanted: WorkOf, person: str) -> ColumnElement[bool]:
    """The newest word on the person, for this team, is what the filter asks for."""
    later = work_items.alias("later")
    same = and_(work_items.c.patient_id == visible.c.patient_id, work_items.c.team_id == visible.c.team_id)
    newer = exists().where(
        later.c.patient_id == work_items.c.patient_id,
        later.c.team_id == work_items.c.team_id,
        later.c.item_id > work_items.c.item_id,
    )
    newest = exists().where(same, ~newer)
    if wanted is WorkOf.MINE:
        return newest.where(work_items.c.given_to == person)
    if wanted is WorkOf.NOBODY:
        return ~newest.where(work_items.c.given_to.is_not(None))
    return newest.where(work_items.c.this_week.is_(True), ~work_is_done())


def gap_choices(connection: Connection, caller: Caller, team_ids: Sequence[str]) -> list[Row[Any]]:
    """``code``, ``title`` and ``people`` of each kind of care gap in some teams, the commonest first."""
    visible = visible_people(caller)
    number = func.count(gaps.c.patient_id.distinct())
    query = (
        select(gaps.c.code, func.min(gaps.c.title).label("title"), number.label("people"))
        .where(
            gaps.c.run_id == published_run().scalar_subquery(),
            gaps.c.patient_id.in_(select(visible.c.patient_id).where(visible.c.team_id.in_(team_ids))),
        )
        .group_by(gaps.c.code)
        .order_by(number.desc(), gaps.c.code)
    )
    return list(connection.execute(query).all())


def reviewed_since(connection: Connection, caller: Caller, team_ids: Sequence[str], since: dt.datetime) -> int:
    """How many people of these teams have a review recorded since then."""
    visible = visible_people(caller)
    query = (
        select(func.count(reviews.c.patient_id.distinct()))
        .join(visible, visible.c.patient_id == reviews.c.patient_id)
        .where(visible.c.team_id.in_(team_ids), reviews.c.reviewed_at >= since, review_counts())
    )
    return connection.scalar(query) or 0


def _safety(visible: CTE) -> Select[Any]:
    """``patient_id`` of everybody with a pressing safety gap.

    A safety gap of medium or low severity is on the person's row like any other; it does not call for attention past
    the capacity line.
    """
    return (
        select(gaps.c.patient_id)
        .where(of_seen(visible, gaps), gaps.c.safety.is_(True), gaps.c.severity.in_(PRESSING))
        .distinct()
    )
