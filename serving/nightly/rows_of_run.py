"""What the lists and the summary of a run need to know of the people whose rows it has just written.

Used inside the transaction that writes the run, before anybody can see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from serving.storage.tables import gaps, people, scores


@dataclass(frozen=True)
class RowsOfRun:
    """The rows of the run ``run_id``."""

    connection: Connection
    run_id: str

    def team_sizes(self) -> dict[str, int]:
        """The number of people in each team."""
        mine = people.c.run_id == self.run_id
        query = select(people.c.team_id, func.count()).where(mine).group_by(people.c.team_id)
        return {row[0]: row[1] for row in self._read(query)}

    def risks(self) -> list[Any]:
        """(team, outcome, horizon in days, probability) of every score."""
        return self._read(
            select(people.c.team_id, scores.c.outcome, scores.c.horizon_days, scores.c.probability)
            .join(scores, (scores.c.run_id == people.c.run_id) & (scores.c.patient_id == people.c.patient_id))
            .where(people.c.run_id == self.run_id)
        )

    def candidates(self, outcome: str, horizon: int, pressing: Sequence[str]) -> list[Any]:
        """(patient, team, risk, last seen, worst pressing severity by its place or None, number of pressing safety
        gaps) of everybody."""
        severity = case({name: place for place, name in enumerate(pressing)}, value=gaps.c.severity)
        unsafe = (
            select(gaps.c.patient_id, func.min(severity).label("worst"), func.count().label("number"))
            .where(gaps.c.run_id == self.run_id, gaps.c.safety.is_(True), gaps.c.severity.in_(pressing))
            .group_by(gaps.c.patient_id)
            .subquery()
        )
        mine = (scores.c.run_id == people.c.run_id) & (scores.c.patient_id == people.c.patient_id)
        return self._read(
            select(
                people.c.patient_id,
                people.c.team_id,
                scores.c.probability,
                people.c.last_seen_on,
                unsafe.c.worst,
                func.coalesce(unsafe.c.number, 0),
            )
            .join(scores, mine & (scores.c.outcome == outcome) & (scores.c.horizon_days == horizon))
            .outerjoin(unsafe, unsafe.c.patient_id == people.c.patient_id)
            .where(people.c.run_id == self.run_id)
            .order_by(people.c.team_id, people.c.patient_id)
        )

    def safety_codes(self, severity: str) -> list[Any]:
        """(patient, code) of every safety gap of one severity."""
        mine = (gaps.c.run_id == self.run_id) & gaps.c.safety.is_(True) & (gaps.c.severity == severity)
        return self._read(select(gaps.c.patient_id, gaps.c.code).where(mine))

    def people_by_code(self) -> dict[str, int]:
        """The number of people with each kind of gap, by code."""
        query = select(gaps.c.code, func.count(gaps.c.patient_id.distinct())).where(gaps.c.run_id == self.run_id)
        return dict(sorted((row[0], row[1]) for row in self._read(query.group_by(gaps.c.code))))

    def gap_counts(self, pressing: Sequence[str]) -> tuple[int, int]:
        """The number of gaps, and of people with a safety gap of a ``pressing`` severity."""
        unsafe = gaps.c.safety.is_(True) & gaps.c.severity.in_(pressing)
        query = select(func.count(), func.count(case((unsafe, gaps.c.patient_id)).distinct()))
        ((found, people_with_one),) = self._read(query.select_from(gaps).where(gaps.c.run_id == self.run_id))
        return found, people_with_one

    def _read(self, query: Select[*tuple[Any, ...]]) -> list[Any]:
        return list(self.connection.execute(query).all())  # all at once: row by row took twice as long
