"""Counts over the published list for the monitoring system. Nothing here returns a person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sqlalchemy import Connection, and_, func, select

from serving.identity.callers import Caller, Role
from serving.storage.explanations import of_row, whole
from serving.storage.tables import people, person_explanations
from serving.storage.visible import visible_people

MONITORING = Caller("monitoring", Role.CMHT_SYSTEM, None, "monitoring")
"""A caller that reads every team's list through the choke point, to count it."""
MOST_PEOPLE = 5_000
"""A sample of the list is enough to detect a shifted input."""


def people_by_team(connection: Connection) -> dict[str, int]:
    """How many people are on the published list of each team."""
    visible = visible_people(MONITORING)
    query = select(visible.c.team_id, func.count().label("people")).group_by(visible.c.team_id)
    return {row.team_id: row.people for row in connection.execute(query)}


def inputs(connection: Connection, features: int) -> np.ndarray:
    """The model's inputs for at most ``MOST_PEOPLE`` people of the published list, (people, features), without ids."""
    visible = visible_people(MONITORING)
    query = (
        select(*whole(people, "feature_values"))
        .outerjoin(person_explanations, of_row(people))
        .join(
            visible,
            and_(
                people.c.run_id == visible.c.run_id,
                people.c.patient_id == visible.c.patient_id,
                people.c.team_id == visible.c.team_id,
            ),
        )
        .order_by(people.c.patient_id)
        .limit(MOST_PEOPLE)
    )
    rows: Iterator[bytes] = connection.scalars(query)
    found = [np.frombuffer(row, dtype="<f8") for row in rows]
    return np.vstack(found) if found else np.empty((0, features))
