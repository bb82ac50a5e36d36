"""A team's people in order: the published list or another ranking, cut by filters and sorted by one column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from serving.http.problems import FieldProblem, Problem
from serving.identity.callers import Caller
from serving.runs.schemas import RunInfo
from serving.worklists import repository
from serving.worklists.entries.repository import summaries_of
from serving.worklists.entries.service import at_a_glance
from serving.worklists.places import PlacedPerson, placed
from serving.worklists.ranking import Ranking
from serving.worklists.schemas import Filters, ListRulesUsed, Sorting

NamesFor = Callable[[Sequence[str]], Mapping[str, str]]
"""The names of people by id, for a page that sorts by them."""


def nobody_named(patients: Sequence[str]) -> Mapping[str, str]:
    """No names: a list sorted by name is sorted by number."""
    return {}


def sorted_by(
    connection: Connection, caller: Caller, rows: Sequence[PlacedPerson], sort: Sorting, names: NamesFor, as_of: dt.date
) -> list[PlacedPerson]:
    """The rows by one column; what a row does not hold comes last, and equal rows keep the order of the list."""
    far = dt.date.max
    if sort is Sorting.RISK:
        return sorted(rows, key=lambda row: -row.probability)
    if sort is Sorting.GAP:
        return sorted(rows, key=lambda row: row.worst)
    if sort is Sorting.SEEN:
        return sorted(rows, key=lambda row: row.last_seen_on or dt.date.min)
    if sort is Sorting.MEDICINE:
        return sorted(rows, key=lambda row: (not row.medicines, row.medicines or ""))
    patients = [row.patient_id for row in rows]
    if sort is Sorting.NAME:
        named = names(patients)
        return sorted(rows, key=lambda row: _surname_first(named.get(row.patient_id, "")) or ("~", row.patient_id))
    summaries = summaries_of(connection, caller, patients)
    dues = {
        patient: due.on
        for patient, row in summaries.items()
        if (due := at_a_glance(row, as_of)["next_due"]) is not None
    }
    return sorted(rows, key=lambda row: min(dues.get(row.patient_id, far), row.next_booked_on or far))


def _surname_first(name: str) -> tuple[str, str] | None:
    given, _, surname = name.casefold().rpartition(" ")
    return (surname, given) if name else None


@dataclass(frozen=True)
class ListedAs:
    """How a list stands on a page: which risk, in which order, cut to what, sorted by what."""

    chosen: tuple[str, int]
    ranking: Ranking | None = None
    filters: Filters = field(default_factory=Filters)
    sort: Sorting | None = None
    names: NamesFor = nobody_named


class Ordered(NamedTuple):
    """A team's people in order: all of them, and those that the filters leave, as they are sorted."""

    rules: ListRulesUsed | None
    ranking: Ranking
    published: bool
    whole: list[PlacedPerson]
    kept: list[PlacedPerson]


def ordered_people(
    connection: Connection,
    caller: Caller,
    team: Row[Any],
    info: RunInfo,
    chosen: tuple[str, int],
    ranking: Ranking | None,
    filters: Filters,
    sort: Sorting | None,
    names: NamesFor,
) -> Ordered:
    rules = None if info.list_rules is None else ListRulesUsed.model_validate(info.list_rules)
    ranking = ranking or (rules.ranking if rules else Ranking.RISK)
    published = rules is not None and (*chosen, ranking) == (rules.outcome, rules.horizon_days, rules.ranking)
    now = dt.datetime.now(dt.UTC)
    rows = repository.everybody_of(connection, caller, team.team_id, *chosen, filters, now)
    whole = placed(rows, ranking, as_published=published, line=team.weekly_reviews)
    kept = [row for row in whole if row.kept]
    if sort is not None:
        kept = sorted_by(connection, caller, kept, sort, names, info.as_of)
    return Ordered(rules, ranking, published, whole, kept)


def chosen_view(info: RunInfo, outcome: str | None, horizon: int | None) -> tuple[str, int]:
    found = info.chosen(outcome, horizon)
    if found is None:
        raise unknown_horizon(info)
    return found


def unknown_horizon(info: RunInfo) -> Problem:
    there = "; ".join(f"{name}: {', '.join(map(str, days))} days" for name, days in info.outcomes.items())
    return Problem(
        422,
        "invalid-request",
        f"The published list holds no such risk. It holds {there}.",
        errors=[FieldProblem(where="query.outcome, query.horizon", what="is not a pair this run holds")],
    )
