"""Groups features into walks: which features one compiled walk can compute together, and the arrays it needs. Made
once per build. Windows and bookings have modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from features.engine.booking_walks import BookingPlan, PlannedGaps, booking_walk, planned_gap_walk
from features.engine.events import clocks_of, known_by
from features.engine.operations import (
    BOOKING_OPS,
    COVERAGE_OPS,
    DEPOT_OPS,
    PLANNED_GAP_OPS,
    SPELL_OPS,
    WINDOW_OPS,
)
from features.engine.plan_cache import ByFeatures
from features.engine.stream_masks import Membership
from features.engine.walk import Placed, Walk
from features.engine.window_walks import WindowPlan, window_plans, window_walk
from features.jit import jit
from features.kernels import coverage, spells
from features.medicines import regimen
from features.medicines.supply_days import is_injection, lengths_of, supplies_once
from features.monitoring import due_dates, schedule_features
from features.records import Records
from features.records.table import rows_kept
from features.records.tables import TABLES, Late
from features.reference import MEDICINES
from features.spec import Feature, SpecError

Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Ops:
    """Features of one walk: what to compute, from which of its ``streams``, over how many days, with which number,
    into which column.
    """

    streams: Membership
    ops: Int
    stream: Int
    window: Int
    number: Int
    column: Int

    @classmethod
    def of(cls, placed: Sequence[Placed], ops: Mapping[str, int]) -> _Ops:
        features = [feature for _, feature in placed]
        streams = list(dict.fromkeys(feature.stream for feature in features))
        return cls(
            Membership.of(streams),
            np.array([ops[feature.verb] for feature in features], np.int64),
            np.array([streams.index(feature.stream) for feature in features], np.int64),
            np.array([feature.window for feature in features], np.int64),
            np.array([feature.number for feature in features], np.int64),
            np.array([column for column, _ in placed], np.int64),
        )


@dataclass(frozen=True)
class _Spells:
    """Features of the spells of one table."""

    table: str
    late: Late
    clocks: tuple[str, ...]
    ops: _Ops


@dataclass(frozen=True)
class _Plan:
    """How a list of features is walked, independent of records. The same for every request, so it is made once."""

    features: tuple[Feature, ...]
    windows: tuple[WindowPlan, ...]
    coverage: _Ops | None
    depots: tuple[_Ops, ...]
    spells: tuple[_Spells, ...]
    bookings: BookingPlan | None
    planned_gaps: tuple[PlannedGaps, ...]
    schedule: schedule_features.ScheduleFeatures | None
    regimen: tuple[Int, Int] | None
    """Columns of the matrix, and the field of the regimen that each holds."""


def walks_for(records: Records, features: Sequence[Feature]) -> list[Walk]:
    """The walks that compute every feature. Raises SpecError for a verb that no walk computes."""
    plan = _PLANS.of(features)
    return [
        *(window_walk(records, window) for window in plan.windows),
        *_coverage_walks(records, plan.coverage),
        *_depot_walks(records, plan.depots),
        *(_spell_walk(records, spells) for spells in plan.spells),
        *([] if plan.bookings is None else [booking_walk(records, plan.bookings)]),
        *(planned_gap_walk(records, gaps) for gaps in plan.planned_gaps),
        *_state_walks(records, plan.schedule, plan.regimen),
    ]


def _plan(features: tuple[Feature, ...]) -> _Plan:
    walks = (WINDOW_OPS, COVERAGE_OPS, DEPOT_OPS, SPELL_OPS, BOOKING_OPS, PLANNED_GAP_OPS, schedule_features.VERBS)
    known = {"regimen", *(verb for verbs in walks for verb in verbs)}
    for feature in features:
        if feature.verb not in known:
            raise SpecError(f"{feature.name}: no kernel computes {feature.verb}; known are {', '.join(sorted(known))}")

    def placed(verbs: Iterable[str]) -> list[Placed]:
        return [(column, feature) for column, feature in enumerate(features) if feature.verb in verbs]

    covering, scheduled, booked = placed(COVERAGE_OPS), placed(schedule_features.VERBS), placed(BOOKING_OPS)
    return _Plan(
        features,
        tuple(window_plans(placed(WINDOW_OPS))),
        _coverage(covering) if covering else None,
        tuple(_Ops.of(members, DEPOT_OPS) for members in _by(placed(DEPOT_OPS), lambda f: f.stream)),
        tuple(_spells(members) for members in _by(placed(SPELL_OPS), lambda f: f.table)),
        BookingPlan.of(booked) if booked else None,
        tuple(PlannedGaps.of(some) for some in _by(placed(PLANNED_GAP_OPS), lambda f: (f.stream, f.of))),
        schedule_features.ScheduleFeatures.of(scheduled) if scheduled else None,
        _regimen(placed(("regimen",))),
    )


def _by(placed: Iterable[Placed], key: Callable[[Feature], Hashable]) -> Iterable[list[Placed]]:
    groups: dict[Hashable, list[Placed]] = {}
    for column, feature in placed:
        groups.setdefault(key(feature), []).append((column, feature))
    return groups.values()


def _coverage(placed: list[Placed]) -> _Ops:
    for _, feature in placed:
        most = feature.window * (2 if feature.verb == "covered_change" else 1)
        if most > coverage.LONGEST_WINDOW:
            raise SpecError(f"{feature.name}: coverage looks back {coverage.LONGEST_WINDOW} days at most")
    return _Ops.of(placed, COVERAGE_OPS)


def _spells(placed: list[Placed]) -> _Spells:
    first = placed[0][1]
    (late,) = TABLES[first.table].late
    return _Spells(first.table, late, clocks_of(first.stream), _Ops.of(placed, SPELL_OPS))


def _regimen(placed: list[Placed]) -> tuple[Int, Int] | None:
    for _, feature in placed:
        if feature.value not in regimen.FIELDS:
            raise SpecError(
                f"{feature.name}: the regimen has no field {feature.value}; it has {', '.join(regimen.FIELDS)}"
            )
    fields = [regimen.FIELDS.index(feature.value) for _, feature in placed]
    return (np.array([column for column, _ in placed]), np.array(fields)) if placed else None


_PLANS = ByFeatures(_plan)


def _coverage_walks(records: Records, plan: _Ops | None) -> list[Walk]:
    if plan is None:
        return []
    columns = records.columns("supplies")
    bits = np.where((columns["as_required"] != 1) & ~is_injection(records), plan.streams.bits(records), np.uint64(0))
    once = supplies_once(records)
    rows, offsets = rows_kept(records.offsets("supplies"), bits != 0)
    day, known, medicine = (columns[name][rows] for name in ("supplied_on", "known_on", "medicine"))
    until, length, base, bits = once.until[rows], once.length[rows], _bases()[medicine], bits[rows]
    stays = records.columns("stays")

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        coverage.coverage_kernel(
            offsets,
            day,
            known,
            until,
            length,
            base,
            bits,
            records.offsets("stays"),
            stays["admitted_on"],
            stays["known_on"],
            stays["discharged_on"],
            stays["discharge_known_on"],
            person,
            as_of,
            rows,
            plan.ops,
            plan.stream,
            plan.window,
            plan.number,
            plan.column,
            values,
        )

    return [walk]


@cache
def _bases() -> Int:
    """The medicine without its form, by position in MEDICINES."""
    base = {name: place for place, name in enumerate(dict.fromkeys(m.base for m in MEDICINES.values()))}
    return np.array([base[m.base] for m in MEDICINES.values()], np.int64)


@cache
def _missed_after() -> Int:
    """Days after which an injection counts as missed, by position in MEDICINES."""
    return np.array([m.lai_missed_dose_rule_after_days or 2**30 for m in MEDICINES.values()], np.int64)


def _depot_walks(records: Records, plans: Sequence[_Ops]) -> list[Walk]:
    if not plans:
        return []
    columns = records.columns("supplies")
    lengths, undone = lengths_of(records), supplies_once(records).undone
    administered = TABLES["supplies"].column("kind").values.index("administered")
    given = is_injection(records) & ((columns["kind"] == administered) | (columns["kind"] < 0))
    missed_after = _missed_after()

    def walk_of(plan: _Ops) -> Walk:
        keep = (plan.streams.bits(records) != 0) & given
        rows, offsets = rows_kept(records.offsets("supplies"), keep)
        day, known, until = columns["supplied_on"][rows], columns["known_on"][rows], undone[rows]
        length, limit = lengths[rows], missed_after[columns["medicine"][rows]]

        def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
            coverage.depot_kernel(
                offsets,
                day,
                known,
                until,
                length,
                limit,
                person,
                as_of,
                rows,
                plan.ops,
                plan.window,
                plan.number,
                plan.column,
                values,
            )

        return walk

    return [walk_of(plan) for plan in plans]


def _spell_walk(records: Records, plan: _Spells) -> Walk:
    columns, ops = records.columns(plan.table), plan.ops
    start = columns[TABLES[plan.table].event_day or ""]
    keep = (ops.streams.bits(records) >> ops.stream.astype(np.uint64)[:, None] & np.uint64(1)).astype(np.bool_)
    start_known = known_by(columns, plan.clocks)

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        spells.spell_kernel(
            records.offsets(plan.table),
            start,
            start_known,
            columns[plan.late.column],
            columns[plan.late.known_on],
            keep,
            person,
            as_of,
            rows,
            ops.window,
            ops.ops,
            ops.column,
            values,
        )

    return walk


def _state_walks(
    records: Records, verbs: schedule_features.ScheduleFeatures | None, fields: tuple[Int, Int] | None
) -> list[Walk]:
    """The schedule, and the regimen: due dates read it too, so both are filled from one."""
    if verbs is None:
        return [] if fields is None else [_regimen_walk(records, fields)]
    prepared = due_dates.prepare(records)

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        dues = due_dates.due_dates(prepared, person, as_of)
        verbs.fill(dues, as_of, rows, values)
        if fields is not None:
            _fill_regimen(values, rows, fields, dues.situation.taking)

    return [walk]


def _regimen_walk(records: Records, fields: tuple[Int, Int]) -> Walk:
    prepared = regimen.prepare(records)

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        _fill_regimen(values, rows, fields, regimen.regimen_of(prepared, person, as_of))

    return walk


def _fill_regimen(
    values: npt.NDArray[np.float32], rows: Int, fields: tuple[Int, Int], taking: npt.NDArray[np.float64]
) -> None:
    """Puts fields of the regimen into their columns of the matrix."""
    columns, chosen = fields
    _put_fields(values, rows, columns, taking, chosen)


@jit()
def _put_fields(values, rows, columns, taking, chosen):  # type: ignore[no-untyped-def]
    for r in range(rows.shape[0]):
        for k in range(columns.shape[0]):
            values[rows[r], columns[k]] = taking[r, chosen[k]]
