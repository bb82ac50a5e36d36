"""One list over all of a caller's teams: everybody once, ranked once. Above the line is only who is above the line of
a team of theirs.

Each team's list is read as it stands, with its own places and its own line, and the lists are joined here. So nobody's
standing in a team can differ from that team's own list. Somebody who is with two of the teams is one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from serving.auditlog.log import Audit, Look
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.storage.database import Database
from serving.worklists import repository
from serving.worklists.changes.service import CHANGES_OF
from serving.worklists.entries.service import entries_of
from serving.worklists.ordering import ListedAs, NamesFor, chosen_view, nobody_named, ordered_people, sorted_by
from serving.worklists.places import PlacedPerson
from serving.worklists.ranking import Ranking
from serving.worklists.rules import CRITICAL, Candidate, in_order
from serving.worklists.schemas import (
    Filters,
    ListChanges,
    ListRulesUsed,
    Sorting,
    Team,
    Worklist,
    WorklistEntry,
)
from serving.worklists.service import (
    SHOWN_BELOW_LINE,
    UNFILTERED,
    Neighbours,
    choices_of,
    exposures_of,
    utc_now,
    week_of,
)

ALL_TEAMS = "All my teams"


@dataclass(frozen=True)
class TeamLine:
    """A team of the joint list: its capacity (None: not stated), and how many people stand above its line."""

    team_id: str
    name: str
    weekly_reviews: int | None
    within: int


@dataclass(frozen=True)
class TeamPlace:
    """A team that a person is with, and whether they are above its line."""

    team_id: str
    name: str
    within: bool


@dataclass(frozen=True)
class JointList:
    """The joint list as a list, its teams, and the teams of each person shown."""

    worklist: Worklist
    teams: tuple[TeamLine, ...]
    places: Mapping[str, tuple[TeamPlace, ...]]


@dataclass(frozen=True)
class _Joined:
    """A person of the joint list. ``row`` is that of the team whose line they are above, else of the first."""

    row: PlacedPerson
    teams: tuple[TeamPlace, ...]
    has_line: bool
    snoozed: bool
    kept: bool

    @property
    def within(self) -> bool:
        return any(team.within for team in self.teams)

    @property
    def in_band(self) -> bool:
        return self.has_line and not self.within and self.row.worst == CRITICAL

    @property
    def part(self) -> int:
        """Those above a line first, then the critical safety gaps, then everybody else; the snoozed come last."""
        if self.within:
            return 0
        return 1 if self.in_band else 3 if self.snoozed else 2


@dataclass(frozen=True)
class _Order:
    info: RunInfo
    chosen: tuple[str, int]
    teams: list[Row[Any]]
    rules: ListRulesUsed | None
    ranking: Ranking
    published: bool
    whole: list[_Joined]
    ranks: Mapping[str, tuple[int, bool]]


def joint_worklist(
    database: Database,
    caller: Caller,
    audit: Audit,
    *,
    outcome: str | None,
    horizon: int | None,
    ranking: Ranking | None,
    filters: Filters = UNFILTERED,
    limit: int,
    offset: int,
    sort: Sorting | None = None,
    names: NamesFor = nobody_named,
) -> JointList:
    """One page of the list over the caller's teams. 404 where no published list holds a team of theirs."""
    with database.read(caller) as connection:
        order = _order(connection, caller, outcome, horizon, ranking, filters, names)
        found = None if order is None else _page(connection, caller, order, filters, limit, offset, sort, names)
    if order is None or found is None:
        audit.record(Look("team.not_visible"))
        raise not_found()
    shown = exposures_of(found.worklist)
    detail = {"outcome": order.chosen[0], "horizon_days": order.chosen[1], "ranking": order.ranking.value}
    audit.record(
        Look(
            "worklist.seen",
            patient_ids=tuple(row["patient_id"] for row in shown),
            run_id=order.info.run_id,
            bundle_id=order.info.bundle_id,
            detail=detail | {"offset": offset, "teams": [team.team_id for team in found.teams]},
            shown=tuple(row | {"team_id": found.places[row["patient_id"]][0].team_id} for row in shown),
        )
    )
    return found


def joint_neighbours(database: Database, caller: Caller, patient_id: str, listed: ListedAs) -> Neighbours | None:
    """The people beside ``patient_id`` on the joint list; None where it does not hold them."""
    with database.read(caller) as connection:
        order = _order(connection, caller, *listed.chosen, listed.ranking, listed.filters, listed.names)
        kept = [] if order is None else _kept(connection, caller, order, listed.sort, listed.names)
    return Neighbours.beside(patient_id, [one.row.patient_id for one in kept])


def _order(
    connection: Connection,
    caller: Caller,
    outcome: str | None,
    horizon: int | None,
    ranking: Ranking | None,
    filters: Filters,
    names: NamesFor,
) -> _Order | None:
    run = current_run(connection)
    teams = repository.own_teams(connection, caller) if run is not None else []
    if run is None or not teams:
        return None
    info = RunInfo.of(run)
    chosen = chosen_view(info, outcome, horizon)
    lists = {
        team.team_id: ordered_people(connection, caller, team, info, chosen, ranking, filters, None, names)
        for team in teams
    }
    first = next(iter(lists.values()))
    people = _joined((team, row) for team in teams for row in lists[team.team_id].whole)
    wanted = in_order(
        (Candidate(one.row.patient_id, one.row.probability, one.row.worst, one.row.safety_gaps) for one in people),
        first.ranking,
    )
    by_id = {one.row.patient_id: one for one in people}
    whole = sorted((by_id[candidate.patient_id] for candidate in wanted), key=lambda one: one.part)
    return _Order(info, chosen, teams, first.rules, first.ranking, first.published, whole, _ranks(people))


def _joined(rows: Iterable[tuple[Row[Any], PlacedPerson]]) -> list[_Joined]:
    """Everybody once, with all of their teams; a team whose line they are above comes first."""
    found: dict[str, list[tuple[Row[Any], PlacedPerson]]] = {}
    for team, row in rows:
        found.setdefault(row.patient_id, []).append((team, row))
    people = []
    for own in found.values():
        own.sort(key=lambda pair: not _is_within(*pair))
        people.append(
            _Joined(
                own[0][1],
                tuple(TeamPlace(team.team_id, team.name, _is_within(team, row)) for team, row in own),
                any(team.weekly_reviews is not None for team, _ in own),
                all(row.snoozed_until is not None for _, row in own),
                any(row.kept for _, row in own),
            )
        )
    return people


def _is_within(team: Row[Any], row: PlacedPerson) -> bool:
    """Above the team's line; a team that has stated no capacity has none."""
    return team.weekly_reviews is not None and row.within


def _ranks(people: Sequence[_Joined]) -> dict[str, tuple[int, bool]]:
    """Rank by risk over all teams, from 1, and whether somebody shares it."""
    found: dict[str, tuple[int, bool]] = {}
    risks = sorted((one.row.probability for one in people), reverse=True)
    first = {risk: place for place, risk in reversed(list(enumerate(risks, 1)))}
    number = {risk: risks.count(risk) for risk in first} if len(first) < len(risks) else {}
    for one in people:
        risk = one.row.probability
        found[one.row.patient_id] = first[risk], number.get(risk, 1) > 1
    return found


def _kept(
    connection: Connection, caller: Caller, order: _Order, sort: Sorting | None, names: NamesFor
) -> list[_Joined]:
    """Those whom the filters leave, as they are sorted."""
    kept = [one for one in order.whole if one.kept]
    if sort is None:
        return kept
    by_id = {one.row.patient_id: one for one in kept}
    rows = sorted_by(connection, caller, [one.row for one in kept], sort, names, order.info.as_of)
    return [by_id[row.patient_id] for row in rows]


def _page(
    connection: Connection,
    caller: Caller,
    order: _Order,
    filters: Filters,
    limit: int,
    offset: int,
    sort: Sorting | None,
    names: NamesFor,
) -> JointList:
    whole, kept = order.whole, _kept(connection, caller, order, sort, names)
    stated = [team.weekly_reviews for team in order.teams if team.weekly_reviews is not None]
    capacity = sum(stated) if stated else None
    rows = kept[offset : offset + limit]
    past = [one for one in whole if one.row.safety_gap and one.has_line and one.part > 1]
    below = sorted(past, key=lambda one: one.row.worst)[:SHOWN_BELOW_LINE]
    shown = {one.row.patient_id: one for one in (*rows, *below)}
    made, more_gaps = entries_of(
        connection,
        caller,
        [one.row for one in shown.values()],
        capacity,
        order.chosen,
        order.info.as_of,
        explained=False,
    )
    place = {one.row.patient_id: number for number, one in enumerate(whole, 1)}

    def entry(one: _Joined) -> WorklistEntry:
        patient = one.row.patient_id
        rank, tied = order.ranks[patient]
        within = one.within if one.has_line else None
        return replace(
            made[patient],
            position=place[patient],
            rank=rank,
            tied=tied,
            within_capacity=within,
            in_critical_band=one.in_band,
        )

    ids = [team.team_id for team in order.teams]
    within, band = sum(one.within for one in whole), sum(one.in_band for one in whole)
    worklist = Worklist(
        team=Team(
            team_id="",
            name=ALL_TEAMS,
            weekly_reviews=capacity,
            people=len(whole),
            people_with_safety_gap=sum(one.row.safety_gap for one in whole),
        ),
        run=order.info,
        outcome=order.chosen[0],
        horizon_days=order.chosen[1],
        ranking=order.ranking,
        rules=order.rules,
        published_order=order.published,
        listed=within,
        snoozed=sum(one.snoozed for one in whole),
        in_critical_band=band,
        changes=ListChanges(since=order.info.as_of - CHANGES_OF, joined=[], left=[]),
        middle=None,
        reviews_this_week=repository.reviewed_since(connection, caller, ids, week_of(utc_now())),
        below_line=0 if capacity is None else len(whole) - within - band,
        safety_below_line=len(past),
        first_below_line_with_safety_gap=[entry(one) for one in below],
        items=[entry(one) for one in rows],
        filters=filters,
        more_gaps=more_gaps,
        matching=len(kept),
        choices=choices_of(connection, caller, ids, [one.row for one in whole]),
        total=len(whole),
        limit=limit,
        offset=offset,
    )
    lines = tuple(
        TeamLine(
            team.team_id,
            team.name,
            team.weekly_reviews,
            sum(place.within for one in whole for place in one.teams if place.team_id == team.team_id),
        )
        for team in order.teams
    )
    return JointList(worklist, lines, {patient: one.teams for patient, one in shown.items()})
