"""The choke point: which rows a caller may see. Every query over people starts here; the database session refuses all
others.

``visible_people(caller)`` is a common table expression named ``visible_people`` with ``run_id``, ``patient_id`` and
``team_id`` of the published run, cut to the caller's teams. Never filter by team by hand. Join to it for rows of one
team; ask ``seen`` or ``of_seen`` for rows of people, because somebody may be with two teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    false,
    or_,
    select,
)

from serving.identity.callers import Caller
from serving.storage.database import SCOPE_NAME
from serving.storage.tables import emergency_access, people, publications, reviews, run_teams, runs, work_items

KEPT = 128
"""How many callers' queries are kept ready."""


def published_run() -> Select[Any]:
    """The run id that everybody sees now: the newest publication."""
    return select(publications.c.run_id).order_by(publications.c.publication_id.desc()).limit(1)


def visible_people(caller: Caller) -> CTE:
    """Rows (run_id, patient_id, team_id) of the published run that ``caller`` may see; none for a role that sees no
    people."""
    return _visible(caller.sees_people, caller.team_ids, caller.token_id)


@lru_cache(maxsize=KEPT)
def _visible(sees_people: bool, team_ids: frozenset[str] | None, actor: str) -> CTE:
    # Kept, because making it anew for each query of a request took longer than the queries.
    query = select(people.c.run_id, people.c.patient_id, people.c.team_id).where(
        people.c.run_id == published_run().scalar_subquery()
    )
    if not sees_people:
        query = query.where(false())
    elif team_ids is not None:
        query = query.where(or_(people.c.team_id.in_(sorted(team_ids)), _opened(actor)))
    return query.cte(SCOPE_NAME)


def seen(visible: CTE, table: Table) -> ColumnElement[bool]:
    """The row is about somebody in ``visible``.

    A condition and not a join: somebody who is with two teams is in ``visible`` twice, and a join would give each of
    their rows twice.
    """
    return select(visible.c.patient_id).where(visible.c.patient_id == table.c.patient_id).exists()


def of_seen(visible: CTE, table: Table) -> ColumnElement[bool]:
    """The row is of the published run and about somebody in ``visible``; once, as ``seen`` is."""
    return and_(table.c.run_id == published_run().scalar_subquery(), seen(visible, table))


def place_of(connection: Connection, caller: Caller, patient_id: str) -> Row[Any, Any] | None:
    """``team_id`` and ``run_id`` of a person in the published run; the caller's own team first. None where they may
    not see them."""
    visible = visible_people(caller)
    query = select(visible.c.team_id, visible.c.run_id).where(visible.c.patient_id == patient_id)
    rows = list(connection.execute(query.order_by(visible.c.team_id)))
    return next((row for row in rows if not caller.is_beyond(row.team_id)), rows[0] if rows else None)


def visible_lists(caller: Caller) -> CTE:
    """Rows (run_id, as_of, team_id) of the published lists of the caller's own teams, including people no longer on
    the caseload.

    It has the same name as ``visible_people`` and counts as the same choke point. People who left a caseload are in
    no later run, but their former team may see that they left. Emergency access opens no list.
    """
    query = (
        select(run_teams.c.run_id, runs.c.as_of, run_teams.c.team_id)
        .join(runs, runs.c.run_id == run_teams.c.run_id)
        .where(run_teams.c.run_id.in_(select(publications.c.run_id)))
    )
    if not caller.sees_people:
        query = query.where(false())
    elif caller.team_ids is not None:
        query = query.where(run_teams.c.team_id.in_(sorted(caller.team_ids)))
    return query.cte(SCOPE_NAME)


def review_counts() -> ColumnElement[bool]:
    """True for a review that was neither replaced nor undone."""
    later = reviews.alias("later")
    replaced = select(later.c.review_id).where(later.c.replaces == reviews.c.review_id).correlate(reviews).exists()
    return and_(~replaced, reviews.c.undone.is_(false()))


def work_is_done() -> ColumnElement[bool]:
    """A review that counts was recorded after the row of ``work_items``."""
    return (
        select(reviews.c.review_id)
        .where(
            reviews.c.patient_id == work_items.c.patient_id,
            reviews.c.reviewed_at > work_items.c.set_at,
            review_counts(),
        )
        .exists()
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _opened(actor: str) -> ColumnElement[bool]:
    """The person was opened by this caller in an emergency, and the time has not run out when the query runs."""
    now = bindparam("now", callable_=lambda: _now(), type_=emergency_access.c.expires_at.type, unique=True)
    return (
        select(emergency_access.c.grant_id)
        .where(
            emergency_access.c.patient_id == people.c.patient_id,
            emergency_access.c.actor == actor,
            emergency_access.c.expires_at > now,
        )
        .exists()
    )


def visible_teams(caller: Caller) -> Select[Any]:
    """Teams of the published run that ``caller`` may see."""
    query = select(run_teams).where(run_teams.c.run_id == published_run().scalar_subquery())
    if not caller.sees_people:
        return query.where(false())
    if caller.team_ids is not None:
        query = query.where(run_teams.c.team_id.in_(sorted(caller.team_ids)))
    return query


def all_of(patients: Sequence[str]) -> BindParameter[Sequence[str]]:
    """A page's people as one parameter, because 500 parameters would each be processed."""
    return bindparam("patients", list(patients), expanding=True, unique=True)


PATIENTS: BindParameter[Sequence[str]] = bindparam("patients", expanding=True)
"""The same for a query that is kept: give the people as ``{"patients": [...]}`` when it runs."""
