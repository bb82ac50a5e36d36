"""All queries over one person. Every one starts at ``visible_people``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import CTE, BindParameter, Connection, Row, Select, and_, bindparam, func, select

from serving.identity.callers import Caller
from serving.storage.explanations import of_row, whole
from serving.storage.tables import (
    gaps,
    people,
    person_explanations,
    publications,
    run_teams,
    runs,
    score_explanations,
    scores,
    summaries,
    timelines,
)
from serving.storage.visible import KEPT, of_seen, seen, visible_people

TREND_RUNS = 26
PERSON: BindParameter[str] = bindparam("person")


def person(connection: Connection, caller: Caller, patient_id: str) -> Row[Any] | None:
    """The person's row in the published run with the team's name, or None if the caller may not see them."""
    return connection.execute(_person(visible_people(caller)), {"person": patient_id}).first()


@lru_cache(maxsize=KEPT)
def _person(visible: CTE) -> Select[Any]:
    return (
        select(*whole(people), run_teams.c.name.label("team_name"))
        .join(
            visible,
            and_(
                people.c.run_id == visible.c.run_id,
                people.c.patient_id == visible.c.patient_id,
                people.c.team_id == visible.c.team_id,
            ),
        )
        .join(run_teams, and_(run_teams.c.run_id == people.c.run_id, run_teams.c.team_id == people.c.team_id))
        .outerjoin(person_explanations, of_row(people))
        .where(people.c.patient_id == PERSON)
        .order_by(people.c.team_id)
    )


def risks(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """Every outcome and horizon of the published run."""
    return list(connection.execute(_risks(visible_people(caller)), {"person": patient_id}))


@lru_cache(maxsize=KEPT)
def _risks(visible: CTE) -> Select[Any]:
    return (
        select(*whole(scores))
        .outerjoin(score_explanations, of_row(scores))
        .where(scores.c.patient_id == PERSON, of_seen(visible, scores))
        .order_by(scores.c.outcome, scores.c.horizon_days)
    )


def care_gaps(connection: Connection, caller: Caller, patient_id: str) -> list[dict[str, Any]]:
    query = (
        select(gaps)
        .where(gaps.c.patient_id == patient_id, of_seen(visible_people(caller), gaps))
        .order_by(gaps.c.position)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def timeline(connection: Connection, caller: Caller, patient_id: str) -> Row[Any] | None:
    """The events of the last year and the recorded needs; None in runs made before they were kept."""
    query = select(timelines).where(timelines.c.patient_id == patient_id, of_seen(visible_people(caller), timelines))
    return connection.execute(query).first()


def summary(connection: Connection, caller: Caller, patient_id: str) -> Row[Any] | None:
    """Medicines, facts and what falls due; None in runs made before they were kept."""
    query = select(summaries).where(summaries.c.patient_id == patient_id, of_seen(visible_people(caller), summaries))
    return connection.execute(query).first()


def trend(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """The person's risks in the last published runs, oldest first. Somebody who may see them now may also see their
    past.
    """
    visible = visible_people(caller)
    newest = (
        select(publications.c.run_id, func.max(publications.c.publication_id).label("newest"))
        .group_by(publications.c.run_id)
        .order_by(func.max(publications.c.publication_id).desc())
        .limit(TREND_RUNS)
        .subquery("newest")
    )
    query = (
        select(runs.c.as_of, runs.c.model_version, scores.c.outcome, scores.c.horizon_days, scores.c.probability)
        .select_from(scores)
        .join(newest, newest.c.run_id == scores.c.run_id)
        .join(runs, runs.c.run_id == scores.c.run_id)
        .where(
            scores.c.patient_id == patient_id,
            seen(visible, scores),
        )
        .order_by(newest.c.newest, scores.c.outcome, scores.c.horizon_days)
    )
    return list(connection.execute(query))
