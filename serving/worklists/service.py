"""The content of a worklist: what is shown about whom, and where the line of this week's capacity falls. Pages and
JSON both call this."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row

from features import CONCEPTS
from serving.auditlog.log import Audit, Look
from serving.gap_statuses.schemas import GapStatus
from serving.gap_statuses.service import statuses_of
from serving.http.problems import FieldProblem, Problem, not_found
from serving.identity.callers import Caller
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.storage.database import Database
from serving.summaries.words import glance_words
from serving.wording import about_in_100
from serving.work.repository import newest as newest_work
from serving.work.service import in_words
from serving.worklists import repository
from serving.worklists.ranking import Ranking
from serving.worklists.rules import CRITICAL, LeftReason, Slot, Standing
from serving.worklists.schemas import (
    SHOWN_REASONS,
    Adjustment,
    FilterChoice,
    FilterChoices,
    Filters,
    GapLine,
    Joined,
    LastReview,
    Left,
    ListChanges,
    ListRulesUsed,
    NextDue,
    ReasonLine,
    Sorting,
    Team,
    Teams,
    Worklist,
    WorklistEntry,
)

SHOWN_BELOW_LINE = 6
UNFILTERED = Filters()
CONCEPT_LABELS = {concept.slug: concept.label for concept in CONCEPTS.values()}


_REASONS = TypeAdapter(list[ReasonLine])
CHANGES_OF = dt.timedelta(days=7)
MOST_CHANGES = 200


def list_teams(database: Database, caller: Caller, audit: Audit, limit: int, offset: int) -> Teams:
    """The caller's teams, with how many people each has and how many of them have a safety gap."""
    with database.read(caller) as connection:
        run = current_run(connection)
        rows, total = repository.teams(connection, caller, limit, offset)
    info = RunInfo.of(run) if run is not None else None
    items = [Team.model_validate(dict(row._mapping)) for row in rows]
    audit.record(Look("teams.seen", run_id=info.run_id if info else None, detail={"teams": len(items)}))
    return Teams(run=info, items=items, total=total, limit=limit, offset=offset)


NamesFor = Callable[[Sequence[str]], Mapping[str, str]]
"""The names of people by id, for a page that sorts by them."""


def nobody_named(patients: Sequence[str]) -> Mapping[str, str]:
    """No names: a list sorted by name is sorted by number."""
    return {}


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
            chosen = _chosen(info, outcome, horizon)
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
            shown=_exposures(found),
        )
    )
    return found


def shown_on(found: Worklist) -> list[str]:
    """The people whose rows a list shows."""
    return [entry.patient_id for entry in (*found.items, *found.first_below_line_with_safety_gap)]


def week_of(now: dt.datetime) -> dt.datetime:
    """The start of the week, Monday 00:00 UTC, that capacity is counted in."""
    return (now - dt.timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)


def _choices(connection: Connection, caller: Caller, team_id: str, whole: Sequence[Row[Any]]) -> FilterChoices:
    """The filters of a list, commonest first."""
    kinds = repository.gap_choices(connection, caller, team_id)
    return FilterChoices(
        gap=[FilterChoice(value=row.code, label=row.title, people=row.people) for row in kinds],
        reason=_counted([row.raised_by for row in whole], CONCEPT_LABELS),
        medicine=_counted([row.medicines or "" for row in whole], {}),
    )


def _counted(texts: Sequence[str], labels: Mapping[str, str]) -> list[FilterChoice]:
    counts = Counter(word for text in texts for word in text.split(",") if word)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [FilterChoice(value=word, label=labels.get(word, word), people=number) for word, number in ranked]


def _exposures(found: Worklist) -> tuple[dict[str, Any], ...]:
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


def _chosen(info: RunInfo, outcome: str | None, horizon: int | None) -> tuple[str, int]:
    found = info.chosen(outcome, horizon)
    if found is None:
        raise unknown_horizon(info)
    return found


def unknown_horizon(info: RunInfo) -> Problem:
    there = "; ".join(f"{name}: {', '.join(map(str, days))} days" for name, days in info.outcomes.items())
    return Problem(
        422,
        "invalid-request",
        f"This run does not hold that outcome and horizon. It holds {there}.",
        errors=[FieldProblem(where="query.outcome, query.horizon", what="is not a pair this run holds")],
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
    now = dt.datetime.now(dt.UTC)
    ordered = _ordered(connection, caller, team, info, chosen, ranking, filters, sort, names)
    rules, ranking, published, whole, kept = ordered
    capacity = team.weekly_reviews
    rows = kept[offset : offset + limit]
    within, snoozed = sum(row.within for row in whole), sum(row.snoozed_until is not None for row in whole)
    critical = [row for row in whole if _in_band(row, capacity)]
    past = [
        row for row in whole if row.safety_gap and not row.within and row.worst != CRITICAL and capacity is not None
    ]
    below = sorted(past, key=lambda row: (row.worst, row.position))[:SHOWN_BELOW_LINE]
    shown = {row.patient_id: row for row in (*rows, *below)}
    entries = _entries(connection, caller, list(shown.values()), capacity, chosen, info.as_of, explained)
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
        reviews_this_week=repository.reviewed_since(connection, caller, team.team_id, week_of(now)),
        in_critical_band=len(critical),
        below_line=0 if capacity is None else len(whole) - within - len(critical),
        safety_below_line=len(past),
        first_below_line_with_safety_gap=[entries[row.patient_id] for row in below],
        items=[entries[row.patient_id] for row in rows],
        filters=filters,
        matching=len(kept),
        choices=_choices(connection, caller, team.team_id, whole),
        total=len(whole),
        limit=limit,
        offset=offset,
    )


def _in_band(row: Row[Any], capacity: int | None) -> bool:
    """The person is past the capacity and stands above the line: a critical safety gap."""
    return capacity is not None and not row.within and row.worst == CRITICAL


def _at_a_glance(row: Row[Any] | None, as_of: dt.date) -> dict[str, Any]:
    """Medicines and the next due thing of a stored summary, in words."""
    if row is None:
        return {}
    lines, first = glance_words(row.medicines, row.about, row.dues)
    return {
        "medicines": list(lines),
        "next_due": NextDue(as_of + dt.timedelta(days=first[0]), first[1]) if first else None,
    }


def _sorted(
    connection: Connection, caller: Caller, rows: Sequence[Row[Any]], sort: Sorting, names: NamesFor, as_of: dt.date
) -> list[Row[Any]]:
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
    summaries = repository.summaries_of(connection, caller, patients)
    dues = {
        patient: due.on
        for patient, row in summaries.items()
        if (due := _at_a_glance(row, as_of)["next_due"]) is not None
    }
    return sorted(rows, key=lambda row: min(dues.get(row.patient_id, far), row.next_booked_on or far))


def _surname_first(name: str) -> tuple[str, str] | None:
    given, _, surname = name.casefold().rpartition(" ")
    return (surname, given) if name else None


class _Ordered(NamedTuple):
    """A team's people in order: all of them, and those that the filters leave, as they are sorted."""

    rules: ListRulesUsed | None
    ranking: Ranking
    published: bool
    whole: list[Row[Any]]
    kept: list[Row[Any]]


def _ordered(
    connection: Connection,
    caller: Caller,
    team: Row[Any],
    info: RunInfo,
    chosen: tuple[str, int],
    ranking: Ranking | None,
    filters: Filters,
    sort: Sorting | None,
    names: NamesFor,
) -> _Ordered:
    rules = None if info.list_rules is None else ListRulesUsed.model_validate(info.list_rules)
    ranking = ranking or (rules.ranking if rules else Ranking.RISK)
    published = rules is not None and (*chosen, ranking) == (rules.outcome, rules.horizon_days, rules.ranking)
    line = team.weekly_reviews
    everybody = repository.ranked(caller, team.team_id, *chosen, ranking, as_published=published, line=line)
    whole = repository.everybody_of(connection, everybody, filters, dt.datetime.now(dt.UTC), caller.person)
    kept = [row for row in whole if row.kept]
    if sort is not None:
        kept = _sorted(connection, caller, kept, sort, names, info.as_of)
    return _Ordered(rules, ranking, published, whole, kept)


@dataclass(frozen=True)
class Neighbours:
    """Whom a list shows before and after somebody, and where on it they stand. Empty where there is nobody."""

    before: str
    after: str
    place: int
    of: int


def neighbours(
    database: Database,
    caller: Caller,
    patient_id: str,
    team_id: str,
    chosen: tuple[str, int],
    *,
    ranking: Ranking | None,
    filters: Filters,
    sort: Sorting | None,
    names: NamesFor = nobody_named,
) -> Neighbours | None:
    """The people beside ``patient_id`` on the list they were opened from; None where that list does not hold them.
    Their ids stand in links only: following one is audited then."""
    with database.read(caller) as connection:
        run = current_run(connection)
        team = repository.team(connection, caller, team_id) if run is not None else None
        if run is None or team is None:
            return None
        found = _ordered(connection, caller, team, RunInfo.of(run), chosen, ranking, filters, sort, names)
    people = [row.patient_id for row in found.kept]
    if patient_id not in people:
        return None
    place = people.index(patient_id)
    before = people[place - 1] if place else ""
    return Neighbours(before, people[place + 1] if place + 1 < len(people) else "", place + 1, len(people))


def list_changes(connection: Connection, caller: Caller, team_id: str, since: dt.date) -> ListChanges:
    """Who joined and who left a team's lists published for ``since`` or later. The caller audits whom it shows."""
    joined = repository.joined_since(connection, caller, team_id, since, MOST_CHANGES)
    left = repository.left_since(connection, caller, team_id, since, MOST_CHANGES)
    here = repository.here_now(connection, caller, team_id, [row.patient_id for row in left])
    return ListChanges(
        since=since,
        joined=[Joined.model_validate(row, from_attributes=True) for row in joined],
        left=[
            Left(
                in_words=left_in_words(LeftReason(row.reason), row.note),
                still_here=row.patient_id in here,
                **{name: getattr(row, name) for name in Left.model_fields if name not in ("in_words", "still_here")},
            )
            for row in left
        ],
    )


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


@dataclass(frozen=True)
class Gone:
    """Somebody who is not on the caseload of the caller's team any more. ``in_words`` is why, where the list recorded
    it."""

    patient_id: str
    team_id: str
    team_name: str
    last_on: dt.date
    in_words: str


def gone(database: Database, caller: Caller, audit: Audit, patient_id: str) -> Gone | None:
    """For somebody whom the caller may not see now: that they were on a list of the caller's own team, or None.
    Audited like any look."""
    with database.read(caller) as connection:
        place = repository.last_place(connection, caller, patient_id)
        why = repository.last_exit(connection, caller, patient_id, place.team_id) if place else None
    if place is None:
        return None
    audit.record(Look("person.left_seen", patient_ids=(patient_id,), team_id=place.team_id))
    left = why is not None and LeftReason(why.reason) is LeftReason.LEFT_CASELOAD
    words = left_in_words(LeftReason.LEFT_CASELOAD, why.note) if why is not None and left else ""
    return Gone(patient_id, place.team_id, place.name, place.as_of, words)


LEFT_IN_WORDS = {
    LeftReason.LEFT_CASELOAD: "Left this caseload",
    LeftReason.REVIEWED: "Reviewed",
    LeftReason.SNOOZED: "Snoozed by a reviewer",
    LeftReason.TURN_OVER: "The week of those unseen for longest is over",
    LeftReason.RULES_CHANGED: "The list is ordered in another way now",
    LeftReason.GAP_CLOSED: "A safety gap is closed",
    LeftReason.RISK_FELL: "The estimated risk fell",
    LeftReason.DISPLACED: "Others come first now",
    LeftReason.FEWER_SLOTS: "The review capacity is smaller now",
}


def left_in_words(reason: LeftReason, note: str) -> str:
    return f"{LEFT_IN_WORDS[reason]}: {note}" if note else LEFT_IN_WORDS[reason]


def _standing(row: Row[Any]) -> Standing | None:
    """As published; a snooze recorded since counts at once."""
    if row.snoozed_until is not None:
        return Standing.SNOOZED
    return None if row.standing is None else Standing(row.standing)


def _with_status(gap: GapLine, status: GapStatus | None) -> GapLine:
    """The gap with the status that holds, in words."""
    return replace(gap, status=status.in_words) if status is not None and status.holds else gap


def _last(reviews: Sequence[Row[Any]] | None) -> LastReview | None:
    return LastReview(reviews[-1].reviewed_at, reviews[-1].reviewer_name) if reviews else None


def _entries(
    connection: Connection,
    caller: Caller,
    rows: Sequence[Row[Any]],
    capacity: int | None,
    chosen: tuple[str, int],
    as_of: dt.date,
    explained: bool,
) -> dict[str, WorklistEntry]:
    """The entries of ``rows`` of ``repository.everybody_of``, by person."""
    patients = [row.patient_id for row in rows]
    reasons = repository.reasons_of(connection, caller, patients, *chosen) if explained else {}
    gaps = repository.gap_lines(connection, caller, patients)
    reviews = repository.reviews_of(connection, caller, patients)
    statuses = statuses_of(connection, caller, patients, reviews, dt.datetime.now(dt.UTC).date())
    summaries = repository.summaries_of(connection, caller, patients)
    work = newest_work(connection, caller, patients)
    before = repository.risks_before(connection, caller, patients, *chosen, as_of) if explained else {}
    found = [
        WorklistEntry(
            position=row.position,
            rank=row.rank,
            tied=row.sharing > 1,
            within_capacity=None if capacity is None else bool(row.within),
            in_critical_band=_in_band(row, capacity),
            patient_id=row.patient_id,
            probability=row.probability,
            in_words=about_in_100(row.probability),
            reasons=_REASONS.validate_python(reasons.get(row.patient_id, [])[:SHOWN_REASONS]) if explained else [],
            gaps=[_with_status(gap, statuses.get((row.patient_id, gap.code))) for gap in gaps.get(row.patient_id, ())],
            last_seen_on=row.last_seen_on,
            next_booked_on=row.next_booked_on,
            history_days=row.flags["history_days"],
            short_history=row.flags["short_history"],
            missing_sources=row.flags["missing_sources"],
            last_review=_last(reviews.get(row.patient_id)),
            adjustments=[Adjustment(kind, value) for kind, value in row.adjustments or ()],
            standing=_standing(row),
            slot=None if row.slot is None else Slot(row.slot),
            joined=bool(row.joined),
            listed_since=row.listed_since,
            snoozed_until=row.snoozed_until,
            work=in_words(work.get(row.patient_id), caller),
            risk_before=before.get(row.patient_id, []),
            **_at_a_glance(summaries.get(row.patient_id), as_of),
        )
        for row in rows
    ]
    return dict(zip(patients, found, strict=True))
