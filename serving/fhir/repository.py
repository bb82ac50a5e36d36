"""All queries of the FHIR interface. Every one starts at ``visible_people``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from serving.identity.callers import Caller
from serving.storage.explanations import of_row, whole
from serving.storage.tables import gaps, people, person_explanations, score_explanations, scores
from serving.storage.visible import all_of, of_seen, visible_people


def everybody(connection: Connection, caller: Caller) -> list[Row[Any]]:
    """(team_id, patient_id) of every person that the caller may see, team by team; each once, with the team that
    ``team_of`` gives."""
    visible = visible_people(caller)
    team = func.min(visible.c.team_id).label("team_id")
    query = select(team, visible.c.patient_id).group_by(visible.c.patient_id).order_by(team, visible.c.patient_id)
    return [*connection.execute(query)]


def team_of(connection: Connection, caller: Caller, patient_id: str) -> str | None:
    """The team of a person that the caller may see, the first by id of several, or None."""
    visible = visible_people(caller)
    query = select(visible.c.team_id).where(visible.c.patient_id == patient_id).order_by(visible.c.team_id)
    return connection.scalar(query)


def scores_of(connection: Connection, caller: Caller, team_id: str, patients: Sequence[str]) -> list[Row[Any]]:
    """Risks of some people of a team, with their reasons and the rows behind those, by person."""
    visible = visible_people(caller)
    query = (
        select(
            scores.c.patient_id,
            scores.c.outcome,
            scores.c.horizon_days,
            scores.c.probability,
            scores.c.low,
            scores.c.high,
            *whole(scores, "reasons"),
            *whole(people, "behind"),
        )
        .join(visible, and_(scores.c.run_id == visible.c.run_id, scores.c.patient_id == visible.c.patient_id))
        .join(
            people,
            and_(
                people.c.run_id == visible.c.run_id,
                people.c.patient_id == visible.c.patient_id,
                people.c.team_id == visible.c.team_id,
            ),
        )
        .outerjoin(score_explanations, of_row(scores))
        .outerjoin(person_explanations, of_row(people))
        .where(visible.c.team_id == team_id, scores.c.patient_id.in_(all_of(patients)))
        .order_by(scores.c.patient_id, scores.c.outcome, scores.c.horizon_days)
    )
    return [*connection.execute(query)]


def gaps_of(connection: Connection, caller: Caller, patients: Sequence[str]) -> list[Row[Any]]:
    """Every care gap of some people, by person, in the order of the pages."""
    visible = visible_people(caller)
    query = (
        select(gaps)
        .where(of_seen(visible, gaps), gaps.c.patient_id.in_(all_of(patients)))
        .order_by(gaps.c.patient_id, gaps.c.position)
    )
    return [*connection.execute(query)]
