"""The caseload: who is scored on a date, by one rule for training, the nightly run and single requests.

A person is on the caseload at ``as_of`` (00:00 of that day) when, *as known by then* (docs/architecture.md rules 1 and
2),

1. a referral to an in-scope team is open: opened and known before ``as_of``, and not closed, or its closure not yet
   known;
2. they have not died, and no death is recorded whose day cannot be read;
3. they are not an inpatient: no stay admitted and known before ``as_of`` whose discharge has not happened and become
   known by then. A place of safety alone is not an admission (docs/clinical.md section 2.2).

Nobody leaves the caseload for being silent, untested or unseen (docs/architecture.md rule 7). The further conditions
of docs/clinical.md section 2.3 on who is at risk of an outcome apply to labels (``training.dataset.labels``), not to
who is scored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records import NO_DAY, Records, day_of
from features.records.days import to_datetime64
from features.records.tables import TABLES

IN_SCOPE_TEAM_KINDS = ("A05", "A06", "A08", "A09", "A12", "A13", "A14", "A16", "C10", "care_site")
"""Core community mental health teams and early intervention (MHSDS v6 ServTeamType, docs/clinical.md section 2.1), and
the OMOP source's care site."""

ON_CASELOAD = "on the caseload"
DIED = "died"
INPATIENT = "inpatient, or discharge not yet known"
DEATH_UNDATED = "a death is recorded whose day could not be read"
REASONS = (
    ON_CASELOAD,
    "no open referral known",
    "open referral, but only to teams out of scope or of unknown kind",
    DIED,
    DEATH_UNDATED,
    INPATIENT,
)
"""In the order in which the rules apply: a person counts under the first rule that removes them. Codes of
``Caseload.reason`` index this.
"""

_CLOSED_BY_DEATH = TABLES["referrals"].column("close_reason").values.index("died")
_PLACE_OF_SAFETY = TABLES["stays"].column("ward").values.index("place_of_safety")
Day = int | str | dt.date | np.datetime64


@dataclass(frozen=True)
class Caseload:
    """``spine`` has patient_id, as_of (datetime64[s]) and team_id, ordered by person, then date, as the kernels need.

    ``reason`` is int8, shape (dates, people): an index into ``REASONS`` for every person on every date.
    """

    spine: pd.DataFrame
    days: npt.NDArray[np.int32]
    reason: npt.NDArray[np.int8]
    patient_ids: npt.NDArray[np.object_]

    @cached_property
    def attrition(self) -> pd.DataFrame:
        """step, removed, left: how many person-dates each rule removed, in the order of the rules."""
        left = self.reason.size
        rows = [("people in the records, on each date", 0, left)]
        for code in range(1, len(REASONS)):
            removed = int((self.reason == code).sum())
            left -= removed
            rows.append((REASONS[code], removed, left))
        return pd.DataFrame(rows, columns=["step", "removed", "left"])

    def excluded(self) -> pd.DataFrame:
        """patient_id, as_of, reason: one row for every person-date that is not on the caseload."""
        person, date = np.nonzero(self.reason.T)
        return pd.DataFrame(
            {
                "patient_id": self.patient_ids[person],
                "as_of": to_datetime64(self.days[date]),
                "reason": np.asarray(REASONS, dtype=object)[self.reason[date, person]],
            }
        )


def as_days(dates: Day | Sequence[Day] | pd.Index | npt.NDArray[np.datetime64]) -> npt.NDArray[np.int32]:
    """Dates (ISO text, date, datetime64 or a day number; one or many) as distinct rising day numbers."""
    many = [dates] if isinstance(dates, (int, np.integer, str, dt.date, np.datetime64)) else list(dates)
    days = [int(d) if isinstance(d, (int, np.integer)) else day_of(pd.Timestamp(d).date()) for d in many]
    return np.unique(np.asarray(days, dtype=np.int32))


def caseload(
    records: Records,
    as_of: Day | Sequence[Day] | pd.Index | npt.NDArray[np.datetime64],
    in_scope_kinds: Sequence[str] = IN_SCOPE_TEAM_KINDS,
) -> Caseload:
    """Who is on the caseload on each date of ``as_of``, and why everyone else is not.

    ``in_scope_kinds`` are values of ``teams.kind``; empty means all teams. ``team_id`` is the team of the most
    recently opened referral that is open and in scope. Cost: a few array passes over referrals and stays for each
    date.
    """
    days = as_days(as_of)
    people = len(records.patient_ids)
    reason = np.zeros((len(days), people), dtype=np.int8)
    team = np.full((len(days), people), None, dtype=object)
    in_scope = in_scope_referrals(records, in_scope_kinds)
    for row, day in enumerate(days.tolist()):
        then = records.as_known(day, ("referrals", "stays"))
        ours = in_scope if then is records else in_scope_referrals(then, in_scope_kinds)
        reason[row], team[row] = _on_a_day(then, day, ours)

    person, date = np.nonzero(reason.T == 0)
    spine = pd.DataFrame(
        {
            "patient_id": pd.array(records.patient_ids[person], dtype="str"),
            "as_of": to_datetime64(days[date]),
            "team_id": pd.array(team[date, person], dtype="str"),
        }
    )
    return Caseload(spine, days, reason, records.patient_ids)


def _on_a_day(
    records: Records, day: int, in_scope: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.object_]]:
    """Why each person is off the caseload (0 where they are on it), and the team of those who are on it."""
    people = len(records.patient_ids)
    referrals, referred = records.columns("referrals"), records.tables["referrals"].patient
    still_open = _under_way(
        referrals["opened_on"], referrals["known_on"], referrals["closed_on"], referrals["closed_known_on"], day
    )
    referral = np.full(people, -1, dtype=np.int64)
    # Rows are in order of opening, and of repeated positions numpy keeps the last: the most recently opened.
    ours = np.flatnonzero(still_open & in_scope)
    referral[referred[ours]] = ours
    reason = out_of_reach(records, day)
    anywhere = np.zeros(people, dtype=bool)
    anywhere[referred[still_open]] = True
    reason[(referral < 0) & anywhere] = 2
    reason[(referral < 0) & ~anywhere] = 1
    team = np.full(people, None, dtype=object)
    listed = np.flatnonzero(reason == 0)
    team[listed] = referrals["team_id"].take(pa.array(referral[listed])).to_pylist()
    return reason, team


def have_died(records: Records, day: int) -> npt.NDArray[np.bool_]:
    """Shape (people,): True for people who have died, as known by 00:00 of ``day``, from their own row or from a
    referral closed because they died.

    A death without a known date of report still counts, because listing a person who died hurts their family.
    """
    patients, referrals = records.columns("patients"), records.columns("referrals")
    known = (patients["known_on"] < day) | (patients["known_on"] == NO_DAY)
    found = np.asarray((patients["died_on"] < day) & known, dtype=bool)
    by_death = referrals["close_reason"] == _CLOSED_BY_DEATH
    if by_death.any():
        told = (referrals["opened_on"] < day) & (referrals["known_on"] < day)
        closed = told & (referrals["closed_on"] < day) & (referrals["closed_known_on"] < day)
        found[records.tables["referrals"].patient[closed & by_death]] = True
    return found


def died_on_no_known_day(records: Records, day: int) -> npt.NDArray[np.bool_]:
    """Shape (people,): True for people whose record holds a death and no day for it, as known by 00:00 of ``day``.
    Listing them as alive could hurt their family, and nobody can say when the death became known.
    """
    found = np.zeros(len(records.patient_ids), dtype=bool)
    if not len(records.unread):
        return found
    deaths = records.unread.undated_deaths.before(day).patient
    found[deaths] = records.columns("patients")["died_on"][deaths] == NO_DAY
    return found


def are_inpatients(records: Records, day: int) -> npt.NDArray[np.bool_]:
    """Shape (people,): True for people in hospital, as known by 00:00 of ``day``. A place of safety alone is not an
    admission.
    """
    stays = records.columns("stays")
    if not len(stays["ward"]):
        return np.zeros(len(records.patient_ids), dtype=bool)
    admitted = (stays["ward"] != _PLACE_OF_SAFETY) & _under_way(
        stays["admitted_on"], stays["known_on"], stays["discharged_on"], stays["discharge_known_on"], day
    )
    found = np.zeros(len(records.patient_ids), dtype=bool)
    found[records.tables["stays"].patient[admitted]] = True
    return found


def out_of_reach(records: Records, day: int) -> npt.NDArray[np.int8]:
    """Shape (people,): an index into ``REASONS`` for people who are never scored or listed, whatever their referrals
    say; 0 for all others.
    """
    records = records.as_known(day, ("referrals", "stays"))
    reason = np.zeros(len(records.patient_ids), dtype=np.int8)
    reason[are_inpatients(records, day)] = REASONS.index(INPATIENT)
    reason[died_on_no_known_day(records, day)] = REASONS.index(DEATH_UNDATED)
    reason[have_died(records, day)] = REASONS.index(DIED)
    return reason


def in_scope_referrals(records: Records, in_scope_kinds: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each row of referrals, whether its team is in scope. A team missing from the teams table has no kind and is
    out of scope."""
    team_of = records.columns("referrals")["team_id"]
    if not in_scope_kinds:
        return np.ones(len(team_of), dtype=bool)
    teams = records.columns("teams")
    kinds = pc.is_in(teams["kind"], value_set=pa.array(list(in_scope_kinds), pa.string()))
    wanted = teams["team_id"].filter(kinds)
    inside = pc.is_in(team_of, value_set=pa.array(wanted.to_pylist(), pa.string()))
    return np.asarray(inside.to_numpy(zero_copy_only=False), dtype=bool)


def _under_way(
    began: npt.NDArray[np.int32],
    began_known: npt.NDArray[np.int32],
    ended: npt.NDArray[np.int32],
    ended_known: npt.NDArray[np.int32],
    day: int,
) -> npt.NDArray[np.bool_]:
    """Whether an interval has begun, as known before ``day``, and is not known to have ended before ``day``."""
    return (began < day) & (began_known < day) & ~((ended < day) & (ended_known < day))
