"""The lists of one run, made from the scores of the run, the previous list and the reviews since, by the rules of
``serving.worklists.rules``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Table

from models.lottery_band import Ticket
from serving.nightly.rows_of_run import RowsOfRun
from serving.runs import repository
from serving.storage.tables import list_draws, list_exits, list_lines
from serving.worklists.rules import (
    NO_SAFETY_GAP,
    PRESSING,
    WEEK,
    Before,
    Candidate,
    Drawn,
    LeftReason,
    ListRules,
    Slot,
    Standing,
    TeamList,
    make_list,
)

MOVERS = 10


@dataclass(frozen=True)
class Lists:
    """Rows of ``list_lines`` and ``list_exits``, and the summary of each team and of the largest changes of risk."""

    lines: list[dict[str, Any]]
    exits: list[dict[str, Any]]
    teams: dict[str, dict[str, Any]]
    movers: list[dict[str, Any]]
    rules: dict[str, Any]
    draws: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> dict[Table, list[dict[str, Any]]]:
        """By table, without ``run_id``."""
        return {list_lines: self.lines, list_exits: self.exits, list_draws: self.draws}


def make_lists(
    written: RowsOfRun,
    rules: ListRules,
    as_of: dt.date,
    capacity: Mapping[str, int | None],
    gone: Mapping[str, str],
) -> Lists:
    """The list of every team. ``capacity`` is its reviews per week. ``gone`` gives the reasons why people of the
    records are not on a caseload.
    """
    connection = written.connection
    earlier = repository.run_before(connection, written.run_id, as_of)
    before = _before(connection, earlier.run_id) if earlier is not None else {}
    people = _candidates(written, rules, as_of)
    same = earlier is not None and earlier.summary.get("list", {}).get("rules") == plain_rules(rules)
    team_of = {c.patient_id: team for team, members in people.items() for c in members}
    lines, exits, teams = [], [], {}
    draws: list[dict[str, Any]] = []
    for team in sorted({*people, *capacity, *before}):
        members = people.get(team, [])
        left = {
            person: "on the caseload of another team" if person in team_of else gone.get(person, "not in the records")
            for person in before.get(team, {})
            if team_of.get(person) != team
        }
        made = make_list(members, before.get(team, {}), capacity.get(team), as_of, rules, same_rules=same, gone=left)
        lines += _lines(team, members, made)
        draws += [_draw_row(team, as_of, ticket) for ticket in made.tickets]
        exits += [{"team_id": team, **vars(found), "on_day": found.on} for found in made.exits]
        if team in capacity:
            teams[team] = _counts(made, earlier is not None and bool(before))
    for row in exits:
        del row["on"]
    return Lists(lines, exits, teams, _movers(people, before) if same else [], plain_rules(rules), draws)


def plain_rules(rules: ListRules) -> dict[str, Any]:
    plain = asdict(rules) | {"ranking": rules.ranking.value}
    if rules.band is None:  # lists without a band keep the id they had before there were bands
        del plain["band"]
    return plain


def _draw_row(team: str, as_of: dt.date, ticket: Ticket) -> dict[str, Any]:
    row = asdict(ticket)
    return {"team_id": team, "patient_id": row.pop("person"), "drawn_on": as_of, **row}


def _candidates(written: RowsOfRun, rules: ListRules, as_of: dt.date) -> dict[str, list[Candidate]]:
    """All people by team."""
    connection = written.connection
    reviewed = {row.patient_id: row for row in repository.newest_reviews(connection)}
    stood = {(row.patient_id, row.run_id, row.code) for row in repository.codes_at_review(connection, PRESSING[0])}
    new = {
        patient
        for patient, code in written.safety_codes(PRESSING[0])
        if patient in reviewed and (patient, reviewed[patient].run_id, code) not in stood
    }
    stands = {} if rules.band is None else _draws_that_stand(connection, written.run_id, as_of)
    found: dict[str, list[Candidate]] = {}
    for patient, team, risk, seen, worst, number in written.candidates(rules.outcome, rules.horizon_days, PRESSING):
        review = reviewed.get(patient)
        candidate = Candidate(
            patient_id=patient,
            risk=risk,
            worst=NO_SAFETY_GAP if worst is None else worst,
            gaps=number,
            last_seen_on=seen,
            reviewed_on=review.reviewed_at.date() if review else None,
            snoozed_until=review.snooze_until if review else None,
            new_critical=patient in new,
            draw=stands.get((team, patient)),
        )
        found.setdefault(team, []).append(candidate)
    return found


def _draws_that_stand(connection: Connection, run_id: str, as_of: dt.date) -> dict[tuple[str, str], Drawn]:
    """The newest draw of each team within a week, by team and person."""
    newest: dict[str, dt.date] = {}
    found: dict[tuple[str, str], Drawn] = {}
    for row in repository.draws_since(connection, run_id, as_of - dt.timedelta(days=WEEK), as_of):
        if newest.setdefault(row.team_id, row.drawn_on) == row.drawn_on:
            found[row.team_id, row.patient_id] = Drawn(row.drawn, row.line_risk)
    return found


def _before(connection: Connection, run_id: str) -> dict[str, dict[str, Before]]:
    found: dict[str, dict[str, Before]] = {}
    for row in repository.lines_of(connection, run_id):
        slot = None if row.slot is None else Slot(row.slot)
        line = Before(row.risk, row.worst_gap, slot, row.listed_since, row.last_listed_on)
        found.setdefault(row.team_id, {})[row.patient_id] = line
    return found


def _lines(team: str, members: list[Candidate], made: TeamList) -> list[dict[str, Any]]:
    by_id = {c.patient_id: c for c in members}
    return [
        {
            "team_id": team,
            **vars(line),
            "risk": by_id[line.patient_id].risk,
            "worst_gap": by_id[line.patient_id].worst,
        }
        for line in made.lines
    ]


def _counts(made: TeamList, has_before: bool) -> dict[str, Any]:
    """The summary of one team. It names nobody, because operators read it."""
    slots = [line for line in made.lines if line.standing is Standing.LISTED]
    return {
        "listed": len(slots),
        "drawn": sum(line.slot is Slot.LOTTERY for line in slots),
        "longest_unseen": sum(line.slot is Slot.LONGEST_UNSEEN for line in slots),
        "snoozed": sum(line.standing is Standing.SNOOZED for line in made.lines),
        "reviewed": sum(line.standing is Standing.REVIEWED for line in made.lines),
        "joined": sum(line.joined for line in slots) if has_before else None,
        "left": {
            reason.value: count for reason in LeftReason if (count := sum(e.reason is reason for e in made.exits))
        },
        "risk_listed": round(made.risk_listed, 4),
        "risk_best": round(made.risk_best, 4),
        "given_up_to_stay": round(made.given_up_to_stay, 4),
        "given_up_to_draw": round(made.given_up_to_draw, 4),
    }


def _movers(people: Mapping[str, list[Candidate]], before: Mapping[str, Mapping[str, Before]]) -> list[dict[str, Any]]:
    """The largest changes of risk since the previous list: team and ranks by risk, no names."""
    moved = []
    for team, members in people.items():
        earlier = before.get(team, {})
        now = {c.patient_id: place for place, c in enumerate(sorted(members, key=lambda c: (-c.risk, c.patient_id)), 1)}
        then = {person: place for place, person in enumerate(sorted(earlier, key=lambda p: (-earlier[p].risk, p)), 1)}
        moved += [
            (round(c.risk - earlier[c.patient_id].risk, 4), team, then[c.patient_id], now[c.patient_id])
            for c in members
            if c.patient_id in earlier
        ]
    moved.sort(key=lambda m: (-abs(m[0]), m))
    return [
        {"team_id": team, "change": change, "place_before": then, "place": now}
        for change, team, then, now in moved[:MOVERS]
        if change
    ]
