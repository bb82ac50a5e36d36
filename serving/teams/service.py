"""The content of a team's overview, and who may see it. The page and the JSON both call ``team_overview``."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row

from features.gaps.gap import SEVERITIES
from serving.auditlog.log import Audit, Look
from serving.gap_wording import kind_title
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.scoring.record_coverage import EXPECTED_SOURCES
from serving.storage.database import Database
from serving.teams import repository
from serving.teams.schemas import (
    Equality,
    EqualityTable,
    GapKind,
    GroupRow,
    SourceFreshness,
    TeamOverview,
    Unseen,
    Week,
)
from serving.teams.suppression import LEAST, suppressed
from serving.worklists.changes.service import CHANGES_OF, list_changes
from serving.worklists.repository import team as find_team
from serving.worklists.schemas import Team
from serving.worklists.service import week_of

WEEKS, QUARTER_DAYS, LISTING_DAYS, UNSEEN_SHOWN = 4, 91, 28, 10


def team_overview(database: Database, caller: Caller, audit: Audit, team_id: str, now: dt.datetime) -> TeamOverview:
    """One team as a whole. 404 for a team the caller may not see; everybody named on it is in the audit event."""
    with database.read(caller) as connection:
        run = current_run(connection)
        team = find_team(connection, caller, team_id) if run is not None else None
        if run is not None and team is not None:
            info = RunInfo.of(run)
            people = repository.everybody(connection, caller, team_id)
            done = repository.reviews_since(connection, caller, team_id, now - dt.timedelta(days=QUARTER_DAYS))
            kinds = repository.gap_kinds(connection, caller, team_id)
            changes = list_changes(connection, caller, team_id, info.as_of - CHANGES_OF)
            with_gap = repository.people_with_safety_gap(connection, caller, team_id)
    if run is None or team is None:
        audit.record(Look("team.not_visible", team_id=team_id))
        raise not_found()
    found = TeamOverview(
        team=Team(
            team_id=team_id,
            name=team.name,
            weekly_reviews=team.weekly_reviews,
            people=len(people),
            people_with_safety_gap=with_gap,
        ),
        run=info,
        changes=changes,
        gaps=[_kind(row) for row in kinds],
        weeks=_weeks(done, now),
        listings=_listings(done, now),
        unseen_longest=[_unseen(row) for row in people[:UNSEEN_SHOWN]],
        sources=_sources(people),
        equality=_equality(people, {row.patient_id for row in done}, (now - dt.timedelta(days=QUARTER_DAYS)).date()),
    )
    audit.record(
        Look(
            "team.overview_seen",
            patient_ids=tuple(people_named(found)),
            team_id=team_id,
            run_id=info.run_id,
            bundle_id=info.bundle_id,
        )
    )
    return found


def people_named(found: TeamOverview) -> list[str]:
    """Everybody who is named on a team's page."""
    named = [one.patient_id for one in found.changes.joined]
    for left in found.changes.left:
        named += [left.patient_id, left.displaced_by or left.patient_id]
    return list(dict.fromkeys([*named, *(one.patient_id for one in found.unseen_longest)]))


def _kind(row: Row[Any]) -> GapKind:
    return GapKind(
        code=row.code,
        title=kind_title(row.code, row.title),
        severity=SEVERITIES[min(row.worst, len(SEVERITIES) - 1)],
        safety=bool(row.safety),
        people=row.people,
        longest_overdue=row.longest_overdue,
        verified=bool(row.verified),
    )


def _unseen(row: Row[Any]) -> Unseen:
    return Unseen(
        patient_id=row.patient_id,
        last_seen_on=row.last_seen_on,
        next_booked_on=row.next_booked_on,
        listed=bool(row.listed),
    )


def _weeks(done: Sequence[Row[Any]], now: dt.datetime) -> list[Week]:
    begins = [week_of(now) - dt.timedelta(weeks=back) for back in range(WEEKS)]
    people: dict[dt.date, set[str]] = {begin.date(): set() for begin in begins}
    for row in done:
        begin = week_of(row.reviewed_at).date()
        if begin in people:
            people[begin].add(row.patient_id)
    return [Week(begins_on=begin, reviewed=len(who)) for begin, who in people.items()]


def _listings(done: Sequence[Row[Any]], now: dt.datetime) -> dict[str, int]:
    since = now - dt.timedelta(days=LISTING_DAYS)
    return dict(Counter(row.listing_was for row in done if row.listing_was and row.reviewed_at >= since))


def _sources(people: Sequence[Row[Any]]) -> list[SourceFreshness]:
    found = []
    for name in EXPECTED_SOURCES:
        lines = [line for row in people for line in row.flags.get("sources", []) if line["source"] == name]
        ages = [line["age_days"] for line in lines if line["age_days"] is not None]
        found.append(
            SourceFreshness(
                source=name,
                newest_age_days=min(ages, default=None),
                middle_age_days=int(statistics.median(ages)) if ages else None,
                people_stale=sum(line["stale"] for line in lines),
                people_without=len(people) - len(ages),
            )
        )
    return found


def _equality(people: Sequence[Row[Any]], reviewed: set[str], since: dt.date) -> Equality:
    """Counts of people, places and reviews by group of each dimension, with small numbers hidden."""
    grouped = [row for row in people if row.groups]
    dimensions = list(dict.fromkeys(name for row in grouped for name in row.groups))
    tables = [EqualityTable(dimension=name, groups=_groups(name, grouped, reviewed)) for name in dimensions]
    return Equality(reviewed_since=since, least_shown=LEAST, tables=tables)


def _groups(dimension: str, people: Sequence[Row[Any]], reviewed: set[str]) -> list[GroupRow]:
    names = sorted({row.groups[dimension] for row in people})

    def column(counted: Callable[[Row[Any]], bool]) -> dict[str, int | None]:
        counts = Counter(row.groups[dimension] for row in people if counted(row))
        return suppressed({name: counts[name] for name in names})

    everybody = column(lambda row: True)
    slots = column(lambda row: bool(row.listed))
    done = column(lambda row: row.patient_id in reviewed)
    return [
        GroupRow(
            group=name,
            people=everybody[name],
            slots=None if everybody[name] is None else slots[name],
            reviewed=None if everybody[name] is None else done[name],
        )
        for name in names
    ]
