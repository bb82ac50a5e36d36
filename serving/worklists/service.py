"""The content of a worklist: what is shown about whom, and where the line of this week's capacity falls. Pages and
JSON both call this."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from features import CONCEPTS
from serving.auditlog.log import Audit, Look
from serving.gap_wording import kind_title
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.storage.database import Database
from serving.worklists import repository
from serving.worklists.changes.service import CHANGES_OF, list_changes
from serving.worklists.entries.service import entries_of, in_band
from serving.worklists.ordering import ListedAs, NamesFor, chosen_view, nobody_named, ordered_people
from serving.worklists.places import PlacedPerson
from serving.worklists.ranking import Ranking
from serving.worklists.rules import CRITICAL
from serving.worklists.schemas import (
    FilterChoice,
    FilterChoices,
    Filters,
    Sorting,
    Team,
    Teams,
    Worklist,
)

SHOWN_BELOW_LINE = 6
UNFILTERED = Filters()
CONCEPT_LABELS = {concept.slug: concept.label for concept in CONCEPTS.values()}


def list_teams(database: Database, caller: Caller, audit: Audit, limit: int, offset: int) -> Teams:
    """The caller's teams, with how many people each has and how many of them have a safety gap."""
    with database.read(caller) as connection:
        run = current_run(connection)
        rows, total = repository.teams(connection, caller, limit, offset)
    info = RunInfo.of(run) if run is not None else None
    items = [Team.model_validate(dict(row._mapping)) for row in rows]
    audit.record(Look("teams.seen", run_id=info.run_id if info else None, detail={"teams": len(items)}))
    return Teams(run=info, items=items, total=total, limit=limit, offset=offset)


def team_worklist(
    database: Database,
    caller: Caller,
    audit: Audit,
    team_id: str,
    *,
    outcome: str | None,
    horizon: int | None,
    ranking: Ranking | None,
    filters: Filters = UNFILTERED,
    limit: int,
    offset: int,
    action: str = "worklist.seen",
    sort: Sorting | None = None,
    names: NamesFor = nobody_named,
    explained: bool = True,
) -> Worklist:
    """One page of a team's list, as it was published unless something else is asked for. 404 for a team the caller may
    not see; 422 for an outcome or horizon the run does not hold. ``explained``: with reasons and earlier risks, which a
    page of dense lines does not show."""
    with database.read(caller) as connection:
        run = current_run(connection)
        team = repository.team(connection, caller, team_id) if run is not None else None
        if run is not None and team is not None:
            info = RunInfo.of(run)
            chosen = chosen_view(info, outcome, horizon)
            found = _read(
                connection, caller, team, info, chosen, ranking, filters, limit, offset, sort, names, explained
            )
    if run is None or team is None:
        audit.record(Look("team.not_visible", team_id=team_id))
        raise not_found()
    entries = (*found.items, *found.first_below_line_with_safety_gap)
    moved = [one.patient_id for one in found.changes.joined] + [one.patient_id for one in found.changes.left]
    shown = [entry.patient_id for entry in entries] + moved
    shown += [left.displaced_by for left in found.changes.left if left.displaced_by]
    audit.record(
        Look(
            action,
            patient_ids=tuple(dict.fromkeys(shown)),
            team_id=team_id,
            run_id=info.run_id,
            bundle_id=info.bundle_id,
            detail={"outcome": chosen[0], "horizon_days": chosen[1], "ranking": found.ranking.value, "offset": offset},
            shown=exposures_of(found),
        )
    )
    return found


def shown_on(found: Worklist) -> list[str]:
    """The people whose rows a list shows."""
    return [entry.patient_id for entry in (*found.items, *found.first_below_line_with_safety_gap)]


def utc_now() -> dt.datetime:
    """The time now."""
    return dt.datetime.now(dt.UTC)


def week_of(now: dt.datetime) -> dt.datetime:
    """The start of the week, Monday 00:00 UTC, that capacity is counted in."""
    return (now - dt.timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)


def choices_of(
    connection: Connection, caller: Caller, team_ids: Sequence[str], whole: Sequence[PlacedPerson]
) -> FilterChoices:
    """The filters of a list, commonest first."""
    kinds = repository.gap_choices(connection, caller, team_ids)
    return FilterChoices(
        gap=[FilterChoice(value=row.code, label=kind_title(row.code, row.title), people=row.people) for row in kinds],
        reason=_counted([row.raised_by for row in whole], CONCEPT_LABELS),
        medicine=_counted([row.medicines or "" for row in whole], {}),
    )


def _counted(texts: Sequence[str], labels: Mapping[str, str]) -> list[FilterChoice]:
    counts = Counter(word for text in texts for word in text.split(",") if word)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [FilterChoice(value=word, label=labels.get(word, word), people=number) for word, number in ranked]


def exposures_of(found: Worklist) -> tuple[dict[str, Any], ...]:
    """Who is about to be shown where, for the exposure log: later training must know who had the chance of a review."""
    entries = {entry.patient_id: entry for entry in (*found.first_below_line_with_safety_gap, *found.items)}
    return tuple(
        {
            "patient_id": patient,
            "outcome": found.outcome,
            "horizon_days": found.horizon_days,
            "ranking": found.ranking.value,
            "position": entry.position,
            "rank": entry.rank,
        }
        for patient, entry in entries.items()
    )


def _read(
    connection: Connection,
    caller: Caller,
    team: Row[Any],
    info: RunInfo,
    chosen: tuple[str, int],
    ranking: Ranking | None,
    filters: Filters,
    limit: int,
    offset: int,
    sort: Sorting | None,
    names: NamesFor,
    explained: bool,
) -> Worklist:
    ordered = ordered_people(connection, caller, team, info, chosen, ranking, filters, sort, names)
    rules, ranking, published, whole, kept = ordered
    capacity = team.weekly_reviews
    rows = kept[offset : offset + limit]
    within, snoozed = sum(row.within for row in whole), sum(row.snoozed_until is not None for row in whole)
    critical = [row for row in whole if in_band(row, capacity)]
    past = [
        row for row in whole if row.safety_gap and not row.within and row.worst != CRITICAL and capacity is not None
    ]
    below = sorted(past, key=lambda row: (row.worst, row.position))[:SHOWN_BELOW_LINE]
    shown = {row.patient_id: row for row in (*rows, *below)}
    entries, more_gaps = entries_of(connection, caller, list(shown.values()), capacity, chosen, info.as_of, explained)
    return Worklist(
        team=Team(
            team_id=team.team_id,
            name=team.name,
            weekly_reviews=capacity,
            people=len(whole),
            people_with_safety_gap=sum(row.safety_gap for row in whole),
        ),
        run=info,
        outcome=chosen[0],
        horizon_days=chosen[1],
        ranking=ranking,
        rules=rules,
        published_order=published,
        listed=len(whole) - snoozed if capacity is None else within,
        snoozed=snoozed,
        changes=list_changes(connection, caller, team.team_id, info.as_of - CHANGES_OF),
        middle=info.middles.get(team.team_id, {}).get(f"{chosen[0]}_{chosen[1]}"),
        reviews_this_week=repository.reviewed_since(connection, caller, [team.team_id], week_of(utc_now())),
        in_critical_band=len(critical),
        below_line=0 if capacity is None else len(whole) - within - len(critical),
        safety_below_line=len(past),
        first_below_line_with_safety_gap=[entries[row.patient_id] for row in below],
        items=[entries[row.patient_id] for row in rows],
        filters=filters,
        more_gaps=more_gaps,
        matching=len(kept),
        choices=choices_of(connection, caller, [team.team_id], whole),
        total=len(whole),
        limit=limit,
        offset=offset,
    )


@dataclass(frozen=True)
class Neighbours:
    """Whom a list shows before and after somebody, and where on it they stand. Empty where there is nobody."""

    before: str
    after: str
    place: int
    of: int

    @classmethod
    def beside(cls, patient_id: str, people: Sequence[str]) -> Neighbours | None:
        """The people beside somebody in the order of ``people``; None where they are not among them."""
        if patient_id not in people:
            return None
        place = people.index(patient_id)
        before, after = people[:place][-1:], people[place + 1 : place + 2]
        return cls("".join(before), "".join(after), place + 1, len(people))


def neighbours(
    database: Database, caller: Caller, patient_id: str, team_id: str, listed: ListedAs
) -> Neighbours | None:
    """The people beside ``patient_id`` on the list they were opened from; None where that list does not hold them.
    Their ids stand in links only: following one is audited then."""
    with database.read(caller) as connection:
        run = current_run(connection)
        team = repository.team(connection, caller, team_id) if run is not None else None
        if run is None or team is None:
            return None
        found = ordered_people(
            *(connection, caller, team, RunInfo.of(run), listed.chosen),
            *(listed.ranking, listed.filters, listed.sort, listed.names),
        )
    return Neighbours.beside(patient_id, [row.patient_id for row in found.kept])


def is_listed(database: Database, caller: Caller, audit: Audit, team_id: str) -> bool:
    """False for a team of the caller's own that no published list holds yet. Any other team is left for the list
    itself to answer."""
    if caller.team_ids is None or team_id not in caller.team_ids:
        return True
    with database.read(caller) as connection:
        there = repository.team(connection, caller, team_id) is not None
    if not there:
        audit.record(Look("team.not_listed", team_id=team_id))
    return there
