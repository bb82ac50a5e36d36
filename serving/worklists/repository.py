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
from serving.storage.visible import review_counts, visible_people, visible_teams, work_is_done
from serving.worklists.ranking import Ranking
from serving.worklists.rules import CRITICAL, NO_SAFETY_GAP, PRESSING, Standing
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


def ranked(
    caller: Caller,
    team_id: str,
    outcome: str,
    horizon: int,
    ranking: Ranking,
    *,
    as_published: bool = False,
    line: int | None = None,
) -> Select[Any]:
    """Everybody in a team with ``rank``, ``sharing``, ``position``, ``safety_gap`` and ``within``; order by
    ``position``.

    ``as_published`` takes the order and the slots of the published list; any other order draws the line at ``line``,
    the team's capacity (None: there is none). A snooze recorded since counts at once, and the snoozed come last.
    """
    visible = visible_people(caller)
    safety = _safety(visible).subquery("safety")
    worst = func.coalesce(safety.c.worst, NO_SAFETY_GAP)
    snooze = _snoozes(visible).subquery("snooze")
    by_risk = (scores.c.probability.desc(), scores.c.patient_id)
    by_gaps = (worst, func.coalesce(safety.c.number, 0).desc(), *by_risk)
    everybody = (
        select(
            visible.c.run_id,
            visible.c.patient_id,
            scores.c.probability,
            visible.c.team_id,
            scores.c.raised_by,
            timelines.c.medicines,
            func.rank().over(order_by=scores.c.probability.desc()).label("rank"),
            func.count().over(partition_by=scores.c.probability).label("sharing"),
            func.row_number().over(order_by=by_risk).label("by_risk"),
            func.row_number().over(order_by=by_gaps).label("by_gaps"),
            cast(case((safety.c.worst.is_(None), 0), else_=1), Integer).label("safety_gap"),
            worst.label("worst"),
            func.coalesce(safety.c.number, 0).label("safety_gaps"),
            *(list_lines.c[name] for name in ("place", "standing", "slot", "joined", "listed_since")),
            case((worst != CRITICAL, snooze.c.snooze_until)).label("snoozed_until"),
        )
        .select_from(visible)
        .join(scores, and_(scores.c.run_id == visible.c.run_id, scores.c.patient_id == visible.c.patient_id))
        .outerjoin(safety, safety.c.patient_id == visible.c.patient_id)
        .outerjoin(snooze, snooze.c.patient_id == visible.c.patient_id)
        .outerjoin(list_lines, _of_same(list_lines, visible))
        .outerjoin(
            timelines, and_(timelines.c.run_id == visible.c.run_id, timelines.c.patient_id == visible.c.patient_id)
        )
        .where(visible.c.team_id == team_id, scores.c.outcome == outcome, scores.c.horizon_days == horizon)
        .subquery("everybody")
    )
    own = _in_order(everybody, ranking)
    order = func.coalesce(everybody.c.place, own) if as_published else own
    away = case((everybody.c.snoozed_until.is_(None), 0), else_=1)
    position = func.row_number().over(order_by=(away, order, everybody.c.by_risk))
    if as_published:
        within = case((and_(everybody.c.standing == Standing.LISTED.value, away == 0), 1), else_=0)
    else:
        within = case((and_(position <= (line if line is not None else 0), away == 0), 1), else_=0)
    if line is None:
        return select(everybody, position.label("position"), within.label("within"))
    # Everybody with a critical safety gap stands above the line, in a band after those within the capacity.
    placed = select(everybody, position.label("own_place"), within.label("within"), away.label("away")).subquery(
        "placed"
    )
    band = case((placed.c.within == 1, 0), (placed.c.worst == CRITICAL, 1), else_=2)
    over = func.row_number().over(order_by=(placed.c.away, band, placed.c.own_place))
    columns = [column for column in placed.c if column.name not in ("own_place", "away")]
    return select(*columns, over.label("position"))


def _in_order(everybody: Any, ranking: Ranking) -> Any:
    """A number that rises in the order of ``ranking``: the same order as ``listing.in_order``."""
    if ranking is Ranking.RISK:
        return everybody.c.by_risk
    if ranking is Ranking.GAPS:
        return everybody.c.by_gaps
    by_risk, by_gaps = 2 * everybody.c.by_risk - 1, 2 * everybody.c.by_gaps
    first = and_(everybody.c.worst < NO_SAFETY_GAP, by_gaps < by_risk)
    return case((first, by_gaps), else_=by_risk)


def _of_same(table: Any, visible: CTE | Subquery) -> Any:
    """The row is about the same person of the same team in the same run."""
    return and_(
        table.c.run_id == visible.c.run_id,
        table.c.patient_id == visible.c.patient_id,
        table.c.team_id == visible.c.team_id,
    )


def _snoozes(visible: CTE) -> Select[Any]:
    """People whose newest review put them off until a day after the run's, with that day."""
    newest = func.row_number().over(
        partition_by=reviews.c.patient_id, order_by=(reviews.c.reviewed_at.desc(), reviews.c.review_id)
    )
    counted = (
        select(reviews.c.patient_id, reviews.c.snooze_until, visible.c.run_id, newest.label("n"))
        .join(visible, visible.c.patient_id == reviews.c.patient_id)
        .where(review_counts())
        .subquery("counted")
    )
    as_of = select(runs.c.as_of).where(runs.c.run_id == counted.c.run_id).scalar_subquery()
    return select(counted.c.patient_id, counted.c.snooze_until).where(counted.c.n == 1, counted.c.snooze_until > as_of)


def everybody_of(
    connection: Connection, everybody: Select[Any], filters: Filters, now: dt.datetime, person: str = ""
) -> list[Row[Any]]:
    """All of ``ranked`` by ``position``, with ``kept`` where the filters leave the row.

    One reading of the whole list, from which pages, counts and filter choices are taken: a team is hundreds of people,
    and the places of all of them are worked out for any page.
    """
    visible = everybody.subquery("visible")
    kept = case((and_(true(), *_conditions(visible, filters, now, person)), 1), else_=0).label("kept")
    # What is only shown is joined last: the database sorts everybody five times, and sorts narrow rows faster.
    query = (
        select(visible, people.c.last_seen_on, people.c.next_booked_on, people.c.flags, timelines.c.adjustments, kept)
        .join(people, _of_same(people, visible))
        .outerjoin(
            timelines, and_(timelines.c.run_id == visible.c.run_id, timelines.c.patient_id == visible.c.patient_id)
        )
        .order_by(visible.c.position)
    )
    return list(connection.execute(query).all())


def _conditions(visible: Subquery, filters: Filters, now: dt.datetime, person: str) -> list[ColumnElement[bool]]:
    """What each filter asks of a row of ``ranked``, which holds only people the caller may see. ``person`` is who
    asks."""
    found: list[ColumnElement[bool]] = []
    if filters.gap:
        own = and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id)
        found.append(exists().where(own, gaps.c.code == filters.gap))
    if filters.reason:
        found.append(visible.c.raised_by.contains(f",{filters.reason},", autoescape=True))
    if filters.medicine:
        found.append(visible.c.medicines.contains(f",{filters.medicine},", autoescape=True))
    if filters.reviewed:
        ever = exists().where(reviews.c.patient_id == visible.c.patient_id, review_counts())
        days = 7 if filters.reviewed is Reviewed.WEEK else 28
        lately = ever.where(reviews.c.reviewed_at >= now - dt.timedelta(days=days))
        wanted = {Reviewed.NEVER: ~ever, Reviewed.NOT_MONTH: ~lately}.get(filters.reviewed, lately)
        found.append(wanted)
    if filters.work:
        found.append(_work_is(visible, filters.work, person))
    return found


def _work_is(visible: Subquery, wanted: WorkOf, person: str) -> ColumnElement[bool]:
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
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(visible.c.team_id.in_(team_ids))
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
    """People with a pressing safety gap: ``patient_id``, ``worst`` (0 is critical) and ``number``.

    A safety gap of medium or low severity is on the person's row like any other; it does not call for attention past
    the capacity line.
    """
    return (
        select(gaps.c.patient_id, func.min(_SEVERITY).label("worst"), func.count().label("number"))
        .join(visible, and_(gaps.c.run_id == visible.c.run_id, gaps.c.patient_id == visible.c.patient_id))
        .where(gaps.c.safety.is_(True), gaps.c.severity.in_(PRESSING))
        .group_by(gaps.c.patient_id)
    )
