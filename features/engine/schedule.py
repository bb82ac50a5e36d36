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

from features.engine.due import FOREVER, schedule_kernel
from features.engine.spec import satisfying
from features.records import Records
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES, PROTOCOLS, Protocol, in_scope

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
    of_medicine = np.array(
        [sum(1 << s for s, scope in enumerate(scopes()) if in_scope(m, scope)) for m in MEDICINES.values()], np.uint64
    )
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
    heads: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    places: list[int] = []
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
