"""Due or done: one engine reads the monitoring protocols, and both the features and the care gaps take their due dates from it.

Rules (CLINICAL.md section 0, and [D] where the text leaves room):

* Days count from the first supply of the current course; a new course starts after more than 90 days without supply. A person is on a course
  until then.
* A row with an interval: a test is due at the last result of the course plus the interval of the phase in which that day falls, or at the start
  of the phase plus its interval where there is no result. An obligation that fell due in one phase stands in the phase that follows it directly;
  where days lie between two phases, it lapses [D].
* A row without an interval is a point check due at ``to_day``; any result from ``from_day`` less the grace days onwards meets it [D].
* A row whose condition cannot be assessed gives no due date: that is "cannot assess", not "not overdue".
* A component (a white cell count) meets its parent's schedule (the full blood count). The earliest due date of a test wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from numba import njit

from features.engine.spec import satisfying
from features.engine.supply import COURSE_GAP_DAYS
from features.records import Records
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES, PROTOCOLS, Protocol, in_scope

FOREVER = 10**6
USUAL_SUPPLY_DAYS = 28
"""A supply that does not say how long it lasts is taken to last four weeks, the usual length in England [D]."""

PERSON_SCOPES = ("smi_any",)
_SKIP = "component of fbc: do not count separately"
_ALWAYS = ("", "until stable", "not high risk", "on GP SMI register")


@dataclass(frozen=True)
class Item:
    """One test in one scope, with the protocol rows that schedule it: intervals in order of phase, then point checks."""

    scope: str
    test: str
    rows: tuple[Protocol, ...]


@cache
def items() -> tuple[Item, ...]:
    """Every (scope, test) whose schedule can be assessed from records alone, in the order of the protocol table."""
    grouped: dict[tuple[str, str], list[Protocol]] = {}
    for row in PROTOCOLS:
        plain = row.applies_if in _ALWAYS and row.phase in ("baseline", "initiation", "maintenance")
        known_scope = row.scope in PERSON_SCOPES or any(in_scope(m, row.scope) for m in MEDICINES.values())
        if plain and known_scope and _SKIP not in row.applies_if:
            grouped.setdefault((row.scope, row.test), []).append(row)
    return tuple(
        Item(scope, test, tuple(sorted(rows, key=lambda row: (row.interval_days is None, row.from_day))))
        for (scope, test), rows in grouped.items()
    )


@cache
def scopes() -> tuple[str, ...]:
    """Scopes of :func:`items`, each one bit of a supply's mask."""
    return tuple(dict.fromkeys(item.scope for item in items()))


@cache
def tests() -> tuple[str, ...]:
    """Tests of :func:`items`, each one bit of a result's mask."""
    return tuple(dict.fromkeys(item.test for item in items()))


@dataclass(frozen=True)
class Prepared:
    """The arrays that the kernel needs of a set of records: made once, read by every row of the spine."""

    supply_offsets: npt.NDArray[np.int64]
    supply_day: npt.NDArray[np.int32]
    supply_known: npt.NDArray[np.int32]
    supply_length: npt.NDArray[np.int32]
    supply_bits: npt.NDArray[np.uint64]
    result_offsets: npt.NDArray[np.int64]
    result_day: npt.NDArray[np.int32]
    result_known: npt.NDArray[np.int32]
    result_bits: npt.NDArray[np.uint64]
    referral_offsets: npt.NDArray[np.int64]
    referral_day: npt.NDArray[np.int32]
    referral_known: npt.NDArray[np.int32]


def lengths_of(records: Records) -> npt.NDArray[np.int32]:
    """How many days each supply lasts: days supplied, an injection's interval, the product's usual interval, or four weeks."""
    columns = records.columns("supplies")
    usual = np.array([m.lai_usual_interval_days or np.nan for m in MEDICINES.values()])[columns["medicine"]]
    injection = is_injection(records)
    days = np.where(injection, columns["interval_days"], columns["days_supplied"])
    days = np.where(np.isnan(days) & injection, usual, days)
    return np.where(np.isnan(days), USUAL_SUPPLY_DAYS, days).astype(np.int32)


def is_injection(records: Records) -> npt.NDArray[np.bool_]:
    """Which supplies are long-acting injections, by the row's route or, where it is not given, the medicine's."""
    columns = records.columns("supplies")
    given = columns["route"]
    code = TABLES["supplies"].column("route").values.index("long_acting_injection")
    product = np.array([m.is_long_acting_injection for m in MEDICINES.values()])[columns["medicine"]]
    return np.where(given >= 0, given == code, product) | product


def prepare(records: Records) -> Prepared:
    """The kernel's view of ``records``."""
    supplies, results, referrals = records.columns("supplies"), records.columns("results"), records.columns("referrals")
    of_medicine = np.array([sum(1 << s for s, scope in enumerate(scopes()) if in_scope(m, scope)) for m in MEDICINES.values()], np.uint64)
    names = TABLES["results"].column("test").values
    of_test = np.zeros(len(names), np.uint64)
    for position, test in enumerate(tests()):
        for name in satisfying(test):
            of_test[names.index(name)] |= np.uint64(1 << position)
    return Prepared(
        records.offsets("supplies"),
        supplies["supplied_on"],
        supplies["known_on"],
        lengths_of(records),
        of_medicine[supplies["medicine"]],
        records.offsets("results"),
        results["taken_on"],
        results["known_on"],
        of_test[results["test"]],
        records.offsets("referrals"),
        referrals["opened_on"],
        referrals["known_on"],
    )


@cache
def _compiled() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Items as arrays: (scope, test, first row, last row), then rows: (from, to, interval or -1, grace), then protocol positions."""
    position = {row.id: place for place, row in enumerate(PROTOCOLS)}
    heads, rows, places = [], [], []
    for item in items():
        heads.append((scopes().index(item.scope), tests().index(item.test), len(rows), len(rows) + len(item.rows)))
        for row in item.rows:
            rows.append(
                (
                    row.from_day,
                    FOREVER if row.to_day is None else row.to_day,
                    -1 if row.interval_days is None else row.interval_days,
                    row.grace_days,
                )
            )
            places.append(position[row.id])
    return np.array(heads, np.int32), np.array(rows, np.int32), np.array(places, np.int32)


def due_dates(
    prepared: Prepared, person: npt.NDArray[np.int64], as_of: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16], npt.NDArray[np.int32]]:
    """Due day of every item for every row: (due day or NO_DAY, position in PROTOCOLS or -1, day of the last result or NO_DAY).

    Each has shape (rows, items). NO_DAY where the person is not in the scope or nothing is due in this phase.
    """
    heads, rows, places = _compiled()
    shape = (len(person), len(heads))
    due = np.full(shape, NO_DAY, np.int32)
    fired = np.full(shape, -1, np.int16)
    last = np.full(shape, NO_DAY, np.int32)
    p = prepared
    schedule_kernel(
        p.supply_offsets,
        p.supply_day,
        p.supply_known,
        p.supply_length,
        p.supply_bits,
        p.result_offsets,
        p.result_day,
        p.result_known,
        p.result_bits,
        p.referral_offsets,
        p.referral_day,
        p.referral_known,
        np.array([scope in PERSON_SCOPES for scope in scopes()]),
        len(tests()),
        heads,
        rows,
        places,
        person,
        as_of,
        due,
        fired,
        last,
    )
    return due, fired, last


@cache
def grace_days() -> npt.NDArray[np.int32]:
    """Grace days of every protocol, by its position in PROTOCOLS."""
    return np.array([row.grace_days for row in PROTOCOLS], np.int32)


def select(scope: str = "", wanted: Sequence[str] = ()) -> list[int]:
    """Positions of the items of one scope (all scopes if empty) and some tests (all tests if empty)."""
    return [
        place
        for place, item in enumerate(items())
        if (not scope or item.scope == scope) and (not wanted or item.test in wanted)
    ]


@njit(nogil=True, cache=True)
def _due(rows, places, first, last_row, day, last, counts):  # type: ignore[no-untyped-def]
    """Due day (counted from the course's start) and protocol position of one item, or (FOREVER, -1).

    ``day`` is today and ``last`` the latest result, both counted from the start; ``last`` is below -FOREVER where there is none, and
    ``counts`` says whether it can set the next due date (a result from before the course only meets a baseline).
    """
    due, fired = FOREVER, -1
    chained, carried = -FOREVER, FOREVER
    for j in range(first, last_row):
        start, stop, interval, grace = rows[j, 0], rows[j, 1], rows[j, 2], rows[j, 3]
        if interval < 0:
            if stop < due and last < start - grace and day >= start:
                due, fired = stop, places[j]
            continue
        if start != chained:
            carried = FOREVER
        chained = stop + 1
        if day < start or carried < FOREVER:
            continue
        mine = max(last + interval, start) if counts else start + interval
        if mine <= stop:
            follows = j + 1 < last_row and rows[j + 1, 2] >= 0 and rows[j + 1, 0] == stop + 1
            if day <= stop or follows:
                carried = mine
                if mine < due:
                    due, fired = mine, places[j]
    return due, fired


@njit(nogil=True, cache=True)
def schedule_kernel(
    supply_offsets,
    supply_day,
    supply_known,
    supply_length,
    supply_bits,
    result_offsets,
    result_day,
    result_known,
    result_bits,
    referral_offsets,
    referral_day,
    referral_known,
    of_person,
    n_tests,
    heads,
    rows,
    places,
    person,
    as_of,
    due,
    fired,
    last_result,
):  # type: ignore[no-untyped-def]
    """Fills ``due``, ``fired`` and ``last_result`` (rows x items) for each row of the spine."""
    n_scopes = of_person.shape[0]
    start = np.zeros(n_scopes, np.int64)
    end = np.zeros(n_scopes, np.int64)
    latest = np.zeros(n_tests, np.int64)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        start[:] = NO_DAY
        end[:] = -FOREVER
        latest[:] = -FOREVER
        for i in range(supply_offsets[who], supply_offsets[who + 1]):
            if supply_day[i] >= t:
                break
            if supply_known[i] >= t:
                continue
            mask = supply_bits[i]
            s = 0
            while mask != 0:
                if mask & np.uint64(1):
                    if start[s] == NO_DAY or supply_day[i] > end[s] + COURSE_GAP_DAYS:
                        start[s] = supply_day[i]
                        end[s] = supply_day[i]
                    end[s] = max(end[s], supply_day[i] + supply_length[i])
                mask = mask >> np.uint64(1)
                s += 1
        for i in range(referral_offsets[who], referral_offsets[who + 1]):
            if referral_day[i] < t and referral_known[i] < t:
                for s in range(n_scopes):
                    if of_person[s] and start[s] > referral_day[i]:
                        start[s] = referral_day[i]
                        end[s] = t
        for i in range(result_offsets[who], result_offsets[who + 1]):
            if result_day[i] >= t:
                break
            if result_known[i] >= t:
                continue
            mask = result_bits[i]
            s = 0
            while mask != 0:
                if mask & np.uint64(1):
                    latest[s] = result_day[i]
                mask = mask >> np.uint64(1)
                s += 1
        for item in range(heads.shape[0]):
            s, test = heads[item, 0], heads[item, 1]
            if latest[test] > -FOREVER:
                last_result[r, item] = latest[test]
            if start[s] == NO_DAY or t > end[s] + COURSE_GAP_DAYS:
                continue
            since, counts = -2 * FOREVER, False
            if latest[test] > -FOREVER:
                since = latest[test] - start[s]
                counts = since >= 0 or of_person[s]
            found, place = _due(rows, places, heads[item, 2], heads[item, 3], t - start[s], since, counts)
            if place >= 0:
                due[r, item] = start[s] + found
                fired[r, item] = place
