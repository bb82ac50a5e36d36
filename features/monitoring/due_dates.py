"""Due dates from the monitoring protocols. Both the features and the care gaps use them.

Rules (docs/clinical.md section 0, and [D] where the text leaves room):

* Days count from the first supply of the current course; a new course starts after more than 90 days without supply. A
  person is on a course until then.
* A row with an interval: a test is due at the last result of the course plus the interval of the phase in which that
  day falls. If the course has no result, its start is used: removing a check never makes the next one due later [D].
  For a scope of people the start of the phase is used. A test that fell due in one phase stays due in the phase that
  follows directly; if there are days between the two phases, it lapses [D].
* A row without an interval is a point check due at ``to_day``; any result from ``from_day`` less the grace days
  onwards meets it [D].
* A row whose condition (features/monitoring/applicability.py) cannot be assessed gives no due date: that is "cannot
  assess", not "not overdue".
* Rows of an event count from its day: an amber or red count while it is in force, a restart after a clozapine break, a
  change of smoking, an infection, a new interacting medicine, a change of lithium dose, the day clozapine ran out.
* Clozapine: the recorded interval (``clozapine_interval``) replaces the interval for the weeks on treatment. The
trust's schedule gives the interval for each week (features/reference/monitoring/clozapine_schedules.py). A break of
more than 28
  days is a new start, and the course ends 28 days after supply (docs/clinical.md section 4.6).
* Long-term scopes without a medicine count from the first referral, or the diagnosis where no referral is recorded
  (``smi_any``), or from the day the sum was reached.
* A component (a white cell count) meets its parent's schedule (the full blood count), except for clozapine. For
clozapine only a recorded full blood count meets it, or white cells and neutrophils of one day, from the day on which
both are known. One of them alone, or platelets, does not. The earliest due date wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from features.kernels.coverage import COURSE_GAP_DAYS
from features.kernels.schedule import APPLIES, FOREVER, courses_kernel, due_kernel, latest_kernel
from features.monitoring import condition_inputs
from features.monitoring.applicability import CONDITIONS, UNCONDITIONAL
from features.monitoring.situation import EVENTS, Answers, Bools, Situation
from features.records import Records
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES, PROTOCOLS, Protocol, in_scope
from features.reference.files import ReferenceTableError
from features.reference.monitoring.clozapine_schedules import SET_BY_REGISTER, clozapine_schedule
from features.spec import satisfying

PERSON_SCOPES = ("smi_any", "acb_total_ge_3", "high_dose_or_combined_antipsychotics")
_EVENT_OF_PHASE = {"amber_result": 0, "red_result": 1, "treatment_break": 2, "post_stop": 5}
_EVENT_OF_SCOPE = {"clozapine": 3, "lithium": 4}
CLOZAPINE_GAP_DAYS = 28


@dataclass(frozen=True)
class Item:
    """One test in one scope, with the protocol rows that schedule it: intervals in order of phase, then point
    checks."""

    scope: str
    test: str
    rows: tuple[Protocol, ...]


@cache
def items() -> tuple[Item, ...]:
    """Every (scope, test) of the protocol table, in its order. Raises ReferenceTableError for a row that cannot be
    scheduled, by its id."""
    grouped: dict[tuple[str, str], list[Protocol]] = {}
    for row in PROTOCOLS:
        if row.applies_if not in CONDITIONS:
            raise ReferenceTableError(
                f"monitoring_protocols.csv: row {row.id}: applies_if is not one that "
                f"features/monitoring/applicability.py assesses"
            )
        if row.scope not in PERSON_SCOPES and not any(in_scope(m, row.scope) for m in MEDICINES.values()):
            raise ReferenceTableError(
                f"monitoring_protocols.csv: row {row.id}: medicine_or_class is no medicine, class or known scope"
            )
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
class ScheduleInputs:
    """The arrays that the kernels need from a set of records, made once and read by every row of the spine."""

    records: Records
    conditions: condition_inputs.ConditionInputs
    supply_length: npt.NDArray[np.int32]
    supply_bits: npt.NDArray[np.uint64]
    result_bits: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Dues:
    """Shape (rows, items) each: ``day`` due or NO_DAY, ``protocol`` that asks (position in PROTOCOLS or -1),
    ``unsure`` where a row that may apply could not be assessed, ``last`` result's day or NO_DAY, ``start`` of the
    course or of what else the item's days count from; and the situation they were worked out from.
    """

    day: npt.NDArray[np.int32]
    protocol: npt.NDArray[np.int16]
    unsure: npt.NDArray[np.bool_]
    tested: npt.NDArray[np.int32]
    """Shape (rows, tests): the day of the latest result of each test."""
    began: npt.NDArray[np.int32]
    """Shape (rows, scopes): the first day of each course."""
    situation: Situation

    @cached_property
    def last(self) -> npt.NDArray[np.int32]:
        return self.tested[:, _compiled()[0][:, 1]]

    @cached_property
    def start(self) -> npt.NDArray[np.int32]:
        return self.began[:, _compiled()[0][:, 0]]


def prepare(records: Records) -> ScheduleInputs:
    """Prepares ``records`` for the kernels."""
    return records.once("schedule", lambda: _prepare(records))


def _prepare(records: Records) -> ScheduleInputs:
    supplies = records.columns("supplies")
    conditions = condition_inputs.prepare(records)
    return ScheduleInputs(
        records,
        conditions,
        conditions.regimen.length,
        _medicine_bits()[supplies["medicine"]],
        _result_bits(records),
    )


CLOZAPINE_COUNT = ("clozapine", "fbc")
_COUNTED_BY = "fbc"
_COUNTED_TOGETHER = ("wbc", "anc")
"""The bit of results that satisfy the clozapine blood count: the last one, after those of :func:`tests`."""


def _result_bits(records: Records) -> npt.NDArray[np.uint64]:
    """For each result, the scheduled tests that it satisfies. White cells and neutrophils of one day make a clozapine
    count: its bit goes to the one known last, so that the count does not exist before both are known.
    """
    results, patient = records.columns("results"), records.tables["results"].patient
    bits = _test_bits()[results["test"]]
    names = TABLES["results"].column("test").values
    if clozapine_schedule().counted_by == "anc":
        bits[results["test"] == names.index("anc")] |= np.uint64(1 << len(tests()))
        return bits
    both = [(results["test"] == names.index(name)).nonzero()[0] for name in _COUNTED_TOGETHER]
    if not all(map(len, both)):
        return bits
    first: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for rows in both:
        # rows are in the order of people and days, and of those in which they became known: the first is the earliest
        samples = patient[rows].astype(np.int64) << 32 | (results["taken_on"][rows].astype(np.int64) + 2**31)
        earliest = np.append(True, samples[1:] != samples[:-1])
        first.append((samples[earliest], rows[earliest]))
    (one, one_row), (other, other_row) = first
    its = np.minimum(other.searchsorted(one), len(other) - 1)
    mine = other[its] == one
    white, neutrophils = one_row[mine], other_row[its[mine]]
    last = np.where(results["known_on"][white] > results["known_on"][neutrophils], white, neutrophils)
    bits[last] |= np.uint64(1 << len(tests()))
    return bits


def _place_of(item: Item) -> int:
    """The bit of the results that satisfy an item."""
    return len(tests()) if (item.scope, item.test) == CLOZAPINE_COUNT else tests().index(item.test)


@cache
def _test_bits() -> npt.NDArray[np.uint64]:
    """For each test of the results table, the scheduled tests that it satisfies, one bit each."""
    names = TABLES["results"].column("test").values
    of_test = np.zeros(len(names), np.uint64)
    for position, test in enumerate(tests()):
        for name in satisfying(test):
            of_test[names.index(name)] |= np.uint64(1 << position)
    of_test[names.index(_COUNTED_BY)] |= np.uint64(1 << len(tests()))
    return of_test


@cache
def _medicine_bits() -> npt.NDArray[np.uint64]:
    return np.array(
        [sum(1 << s for s, scope in enumerate(scopes()) if in_scope(m, scope)) for m in MEDICINES.values()], np.uint64
    )


@cache
def _compiled() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Items as (scope, test, first row, last row, follows a stop), rows as (from, to, interval or -1, grace,
    condition, event or -1), and the protocol position of each row.
    """
    position = {row.id: place for place, row in enumerate(PROTOCOLS)}
    words = list(CONDITIONS)
    heads: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    places: list[int] = []
    for item in items():
        stops = any(row.phase == "post_stop" for row in item.rows)
        heads.append((scopes().index(item.scope), _place_of(item), len(rows), len(rows) + len(item.rows), stops))
        for row in item.rows:
            event = _EVENT_OF_PHASE.get(row.phase, -1)
            if row.phase == "event":
                event = _EVENT_OF_SCOPE.get(row.scope, -1)
            to_day = FOREVER if row.to_day is None else row.to_day
            interval = -1 if row.interval_days is None else row.interval_days
            rows.append((row.from_day, to_day, interval, row.grace_days, words.index(row.applies_if), event))
            places.append(position[row.id])
    return np.array(heads, np.int32), np.array(rows, np.int32), np.array(places, np.int32)


def due_dates(prepared: ScheduleInputs, person: npt.NDArray[np.int64], as_of: npt.NDArray[np.int32]) -> Dues:
    """Due day of every item for every row (position of the person in ``records.patient_ids``, day number)."""
    if len(person) == 1:
        # With one person, keep the answer: the features and the care gaps read the same row.
        key = ("dues", int(person[0]), int(as_of[0]))
        return prepared.records.once(key, lambda: _due_dates(prepared, person, as_of))
    return _due_dates(prepared, person, as_of)


def _due_dates(prepared: ScheduleInputs, person: npt.NDArray[np.int64], as_of: npt.NDArray[np.int32]) -> Dues:
    p, records = prepared, prepared.records
    heads, rows, places = _compiled()
    supplies, results = records.columns("supplies"), records.columns("results")
    situation = Situation(p.conditions, person, as_of)
    clozapine, gap, from_start = _by_scope()
    start = np.empty((len(person), len(scopes())), np.int32)
    end = np.empty_like(start)
    courses_kernel(
        records.offsets("supplies"),
        supplies["supplied_on"],
        supplies["known_on"],
        p.conditions.regimen.until,
        p.supply_length,
        p.supply_bits,
        gap,
        person,
        as_of,
        start,
        end,
    )
    for scope, day in _person_starts(situation).items():
        place = scopes().index(scope)
        start[:, place], end[:, place] = day, as_of
    newest = np.empty((len(person), len(tests()) + 1), np.int32)
    latest_kernel(
        records.offsets("results"), results["taken_on"], results["known_on"], p.result_bits, person, as_of, newest
    )
    conditions, kinds = (of_scope[(start != NO_DAY).any(axis=0)].any(axis=0) for of_scope in _read_in_scopes())
    applies, events = _answers(situation, conditions), situation.events(end[:, clozapine], kinds)
    shape = (len(person), len(heads))
    day, fired, unsure = np.empty(shape, np.int32), np.empty(shape, np.int16), np.empty(shape, np.bool_)
    due_kernel(heads, rows, places, start, end, gap, newest, from_start, applies, events, as_of, day, fired, unsure)
    _by_register(situation, start[:, clozapine], newest, day, fired)
    return Dues(day, fired, unsure, newest, start, situation)


@cache
def _by_scope() -> tuple[int, npt.NDArray[np.int64], Bools]:
    """The place of clozapine among the scopes; and by scope the days without supply that end a course, and whether its
    days count from a first supply."""
    clozapine = scopes().index("clozapine")
    gap = np.full(len(scopes()), COURSE_GAP_DAYS, np.int64)
    gap[clozapine] = CLOZAPINE_GAP_DAYS
    return clozapine, gap, np.array([scope not in PERSON_SCOPES for scope in scopes()])


@cache
def _read_in_scopes() -> tuple[Bools, Bools]:
    """Which conditions, and which events, the rows of each scope read (scopes x conditions, scopes x events)."""
    heads, rows, _ = _compiled()
    conditions = np.zeros((len(scopes()), len(CONDITIONS)), bool)
    kinds = np.zeros((len(scopes()), len(EVENTS)), bool)
    for scope, _, first, last, _ in heads.tolist():
        for *_, condition, event in rows[first:last].tolist():
            conditions[scope, condition] = True
            if event >= 0:
                kinds[scope, event] = True
    return conditions, kinds


def _answers(situation: Situation, wanted: Bools) -> npt.NDArray[np.int8]:
    """Shape (rows, conditions): the answer to each condition that is ``wanted``. Nobody reads the others, because
    nobody is in their scopes."""
    found = np.full((len(situation.person), len(CONDITIONS)), APPLIES, np.int8)
    for place, assess in _assessed():
        if wanted[place]:
            found[:, place] = assess(situation)
    return found


@cache
def _assessed() -> tuple[tuple[int, Callable[[Situation], Answers]], ...]:
    """The conditions that need looking at, by their places."""
    return tuple(
        (place, assess) for place, (text, assess) in enumerate(CONDITIONS.items()) if text not in UNCONDITIONAL
    )


@cache
def _clozapine_count() -> tuple[int, npt.NDArray[np.bool_]]:
    """Position of the clozapine blood count in :func:`items`, and by protocol whether the register may set its
    interval."""
    place = next(k for k, item in enumerate(items()) if (item.scope, item.test) == CLOZAPINE_COUNT)
    return place, np.array([row.phase in SET_BY_REGISTER for row in PROTOCOLS], bool)


def _by_register(
    situation: Situation,
    start: npt.NDArray[np.int32],
    newest: npt.NDArray[np.int32],
    day: npt.NDArray[np.int32],
    fired: npt.NDArray[np.int16],
) -> None:
    """Moves the clozapine count to the last one plus the interval that the register or the record gives.

    An entry older than the course, or than a break that starts the counts again, no longer holds [D]; nor does any
    where a result set the interval or no count was made.
    """
    interval, since = situation.recorded_interval
    if not interval.any():
        return
    place, may = _clozapine_count()
    last = newest[:, len(tests())]
    restart = situation.clozapine_break[0]
    begun = np.where(restart == NO_DAY, start, np.maximum(start, restart))
    set_by = (interval > 0) & (start != NO_DAY) & (since >= begun) & (last != NO_DAY)
    set_by &= (fired[:, place] >= 0) & may[fired[:, place]]
    day[set_by, place] = last[set_by] + interval[set_by]
    situation.by_register = set_by


def _person_starts(situation: Situation) -> dict[str, npt.NDArray[np.int32]]:
    """Day from which each scope without a medicine counts; NO_DAY if the person is not in it."""
    p, as_of = situation.p, situation.as_of
    referrals = p.events("referrals", "", lambda: np.ones(len(p.records.columns("referrals")["known_on"]), bool))
    referred = situation.first_day(referrals)
    diagnosed = situation.first_day(p.events("conditions", "smi", lambda: p.diagnosis["smi"]))
    smi = np.where(referred == NO_DAY, diagnosed, referred)

    def since(field: str) -> npt.NDArray[np.int32]:
        days = situation.regimen(field)
        return np.where(np.isnan(days), NO_DAY, as_of - days).astype(np.int32)

    return {
        "smi_any": smi.astype(np.int32),
        "acb_total_ge_3": since("acb_high_days"),
        "high_dose_or_combined_antipsychotics": since("high_dose_days"),
    }


@cache
def grace_days() -> npt.NDArray[np.int32]:
    """Grace days of every protocol, by its position in PROTOCOLS."""
    return np.array([row.grace_days for row in PROTOCOLS], np.int32)


def select(scope: str = "", wanted: Sequence[str] = ()) -> list[int]:
    """Positions of the items of one scope (all scopes if empty) and some tests (all tests if empty)."""
    return list(_selected(scope, tuple(wanted)))


@cache
def _selected(scope: str, wanted: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(
        place
        for place, item in enumerate(items())
        if (not scope or item.scope == scope) and (not wanted or item.test in wanted)
    )
