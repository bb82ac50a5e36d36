"""The blind rating of a silent trial: people of the rater's own teams, without a risk and without a place on a list.

Each rating is one event of the audit log. A rater who answers again corrects the answer; the newest counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from models.blind_rating import HIGHEST, Case, read_cases
from serving.auditlog.log import Audit, Look
from serving.identity.callers import Caller, Role
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import audit_events

ACTION, SEEN = "case.rated", "cases.seen"


class CaseNotVisible(Exception):
    """No such case is the caller's; nothing was recorded."""


class RatingUnclear(Exception):
    """The answers are not a rating; nothing was recorded."""


@dataclass(frozen=True)
class RatedCase:
    """A case as its rater sees it. ``worth`` is their own rating, None before it."""

    case: Case
    worth: int | None
    known: bool | None


def has_cases(home: Path, caller: Caller) -> bool:
    """A pharmacist has people of their own teams to rate. Nobody is named, so this is not logged."""
    return caller.role == Role.PHARMACIST and bool(_visible(home, caller))


def own_cases(database: Database, home: Path, caller: Caller, audit: Audit) -> list[RatedCase]:
    """The cases of the caller's teams with the caller's own answers. Reading them is logged."""
    cases = _visible(home, caller)
    with database.read() as connection:
        answers = {(one["draw"], one["case"]): one for one in _ratings(connection) if one["rater"] == caller.person}
    audit.record(Look(SEEN, tuple(case.patient_id for case in cases)))
    found = []
    for case in cases:
        given = answers.get((case.draw, case.number), {})
        found.append(RatedCase(case, given.get("worth"), given.get("known")))
    return found


def rate_case(home: Path, caller: Caller, audit: Audit, number: int, worth: int, known: bool) -> None:
    """Records a rating. Raises CaseNotVisible for a case of another team, RatingUnclear for a number out of range."""
    case = next((one for one in _visible(home, caller) if one.number == number), None)
    if case is None:
        raise CaseNotVisible
    if not 0 <= worth <= HIGHEST:
        raise RatingUnclear
    detail = {"draw": case.draw, "case": case.number, "rater": caller.person, "worth": worth, "known": known}
    audit.record(Look(ACTION, (case.patient_id,), team_id=case.team_id, detail=detail))


def ratings_in_audit(home: Path) -> list[dict[str, Any]]:
    """Every rating in the order of the log: draw, case, rater, worth, known. The rater is a hash, and no person is
    named.
    """
    with migrations.opened(home) as database, database.read() as connection:
        return _ratings(connection)


def _visible(home: Path, caller: Caller) -> tuple[Case, ...]:
    """Silent scores are on no published list, so the team at the day of the scores decides who sees a case."""
    if not caller.sees_people:
        return ()
    return tuple(case for case in read_cases(home) if case.team_id and not caller.is_beyond(case.team_id))


def _ratings(connection: Connection) -> list[dict[str, Any]]:
    query = select(audit_events.c.detail).where(audit_events.c.action == ACTION).order_by(audit_events.c.seq)
    return [dict(row.detail) for row in connection.execute(query)]
