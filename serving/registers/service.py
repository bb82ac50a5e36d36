"""What a register and the week show. The pages and the CSV call these."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row

from features.gaps.gap import SEVERITIES
from features.reference.monitoring.clozapine_schedules import clozapine_schedule
from serving.auditlog.log import Audit, Look
from serving.gap_statuses.service import statuses_of
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.registers import repository
from serving.registers.schemas import (
    HEADINGS,
    QT_GAP,
    DueDay,
    DueOfPerson,
    RegisterEntry,
    RegisterFound,
    RegisterName,
    RegisterSort,
    RegisterStatus,
    TeamChoice,
    WeekFound,
)
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.storage.database import Database
from serving.summaries.schemas import DueShown, dues_of, medicines_of, register_of
from serving.summaries.words import medicine_lines
from serving.worklists.entries.repository import gap_lines, reviews_of
from serving.worklists.schemas import GapLine

WATCHED_SUPPLIES = frozenset(("clozapine", "lithium"))
"""Medicines of which a day without supply is a danger: their last day is never folded."""
NamesFor = Callable[[Sequence[str]], Mapping[str, str]]


def show_register(
    database: Database,
    caller: Caller,
    audit: Audit,
    register: RegisterName,
    *,
    team_id: str = "",
    status: RegisterStatus | None = None,
    sort: RegisterSort = RegisterSort.NEXT,
    names: NamesFor,
    action: str = "register.seen",
) -> RegisterFound:
    """A register of one team, or of all of the caller's. 404 for a team the caller may not see, or with no run."""
    with database.read(caller) as connection:
        run = current_run(connection)
        teams = repository.teams(connection, caller) if run is not None else []
        there = run is not None and (not team_id or any(team.team_id == team_id for team in teams))
        if there:
            rows = repository.on_register(connection, caller, team_id, register)
            entries = _entries(connection, caller, rows, register, run.as_of) if run is not None else []
    if run is None or not there:
        audit.record(Look("team.not_visible", team_id=team_id or None))
        raise not_found()
    kept = [entry for entry in entries if _fits(entry, status, run.as_of)]
    kept.sort(key=_order(sort, names([entry.patient_id for entry in kept]) if sort is RegisterSort.NAME else {}))
    shown = tuple(entry.patient_id for entry in kept)
    detail = {"register": register.value}
    audit.record(Look(action, shown, team_id or None, run.run_id, run.bundle_id, detail))
    choices = tuple(TeamChoice(team.team_id, team.name) for team in teams)
    schedule = clozapine_schedule().in_words if register is RegisterName.CLOZAPINE else ""
    about = (RunInfo.of(run), register, HEADINGS[register], choices, team_id)
    return RegisterFound(*about, tuple(kept), len(entries), schedule)


def _entries(
    connection: Connection, caller: Caller, rows: Sequence[Row[Any]], register: RegisterName, as_of: dt.date
) -> list[RegisterEntry]:
    patients, codes = [row.patient_id for row in rows], HEADINGS[register].codes
    gaps = gap_lines(connection, caller, patients, codes)
    reviews = reviews_of(connection, caller, patients)
    statuses = statuses_of(connection, caller, patients, reviews, dt.datetime.now(dt.UTC).date())

    def own(patient: str, shown: Sequence[Any]) -> tuple[GapLine, ...]:
        # A raised blood pressure is no matter of a pair that leaves the QT interval alone.
        other = QT_GAP if register is RegisterName.INTERACTIONS and "QT" not in str(shown) else ""
        said = [(gap, statuses.get((patient, gap.code))) for gap in gaps.get(patient, ()) if gap.code != other]
        worded = [replace(gap, status=one.in_words) if one is not None and one.holds else gap for gap, one in said]
        return tuple(sorted(worded, key=lambda gap: SEVERITIES.index(gap.severity)))

    found = []
    for row in rows:
        shown = next(one for one in row.registers if one[0] == register.value)
        medicines = [one for one in row.medicines if one[0] in shown[1]]
        lines = tuple(medicine_lines(medicines_of(medicines, as_of), ())) or tuple(shown[1])
        found.append(
            RegisterEntry(
                row.patient_id,
                row.team_id,
                row.team_name,
                register_of(shown, as_of),
                lines,
                own(row.patient_id, shown),
            )
        )
    return found


def _fits(entry: RegisterEntry, status: RegisterStatus | None, as_of: dt.date) -> bool:
    if status is RegisterStatus.GAP:
        return bool(entry.gaps)
    if status is RegisterStatus.NO_GAP:
        return not entry.gaps
    if status is RegisterStatus.DUE:
        return entry.row.next_on is not None and entry.row.next_on < as_of + dt.timedelta(days=14)
    return True


def _order(sort: RegisterSort, names: Mapping[str, str]) -> Callable[[RegisterEntry], Any]:
    far, past = dt.date.max, dt.date.min

    def key(entry: RegisterEntry) -> Any:
        worst = SEVERITIES.index(entry.gaps[0].severity) if entry.gaps else len(SEVERITIES)
        if sort is RegisterSort.NAME:
            name = names.get(entry.patient_id, "").casefold().rpartition(" ")
            return (not name[2], name[2], name[0], entry.patient_id)
        if sort is RegisterSort.LAST:
            return (entry.row.last_on or past, entry.patient_id)
        if sort is RegisterSort.STATUS:
            return (worst, entry.row.rank, entry.row.next_on or far, entry.patient_id)
        return (entry.row.rank, entry.row.next_on or far, worst, entry.patient_id)

    return key


def show_week(database: Database, caller: Caller, audit: Audit, *, team_id: str = "", days: int = 7) -> WeekFound:
    """What falls due in the next ``days`` from the list's own day, by day; what was due before and is within its days
    of grace comes first."""
    with database.read(caller) as connection:
        run = current_run(connection)
        teams = repository.teams(connection, caller) if run is not None else []
        there = run is not None and (not team_id or any(team.team_id == team_id for team in teams))
        rows = repository.with_dues(connection, caller, team_id) if there else []
    if run is None or not there:
        audit.record(Look("team.not_visible", team_id=team_id or None))
        raise not_found()
    last = run.as_of + dt.timedelta(days=days)
    by_day: dict[dt.date | None, dict[tuple[bool, str, str], list[DueShown]]] = {}
    for row in rows:
        for due in dues_of(row.dues, run.as_of):
            if due.on < last:
                day = due.on if due.on >= run.as_of else None
                folded = due.kind == "supply" and due.scope not in WATCHED_SUPPLIES
                line = by_day.setdefault(day, {}).setdefault((folded, row.patient_id, row.team_name), [])
                line.append(due)
    ordered = [_day(day, by_day[day]) for day in sorted(by_day, key=lambda day: day or dt.date.min)]
    shown = tuple(dict.fromkeys(one.patient_id for day in ordered for one in (*day.items, *day.supplies)))
    audit.record(Look("week.seen", shown, team_id or None, run.run_id, run.bundle_id, {"days": days}))
    return WeekFound(
        RunInfo.of(run),
        tuple(TeamChoice(team.team_id, team.name) for team in teams),
        team_id,
        days,
        tuple(ordered),
        len(shown),
    )


def _day(on: dt.date | None, lines: Mapping[tuple[bool, str, str], list[DueShown]]) -> DueDay:
    """The lines of one day: injections first, then checks."""
    found = sorted(lines.items(), key=lambda pair: (min(map(_kind, pair[1])), pair[0][1]))
    said = [(folded, DueOfPerson(patient, team, tuple(dues))) for (folded, patient, team), dues in found]
    return DueDay(on, tuple(one for folded, one in said if not folded), tuple(one for folded, one in said if folded))


def _kind(due: DueShown) -> int:
    return ("injection", "check", "supply").index(due.kind)
