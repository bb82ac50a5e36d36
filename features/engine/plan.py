"""Groups features into walks: which features one compiled walk can compute together, and the arrays it needs. Made
once per build.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from features.engine.booking_walks import BookingPlan, PlannedGaps, booking_walk, planned_gap_walk
from features.engine.events import NO_EVENTS, EventArrays, Group, clocks_of, events_of, known_by
from features.engine.operations import (
    BOOKING_OPS,
    COVERAGE_OPS,
    DEPOT_OPS,
    NEEDS,
    PLANNED_GAP_OPS,
    SPELL_OPS,
    WINDOW_OPS,
    reach,
)
from features.engine.plan_cache import ByFeatures
from features.engine.stream_masks import MAX_STREAMS, Membership
from features.kernels import coverage, spells, window_ops, window_totals, windows
from features.medicines import regimen
from features.medicines.supply_days import is_injection, lengths_of, supplies_once
from features.monitoring import due_dates
from features.records import Records
from features.records.tables import TABLES, Late
from features.reference import MEDICINES
from features.spec import EVER, FADING_VERBS, Feature, SpecError, Stream

Int = npt.NDArray[np.int64]
Walk = Callable[[Int, npt.NDArray[np.int32], Int, npt.NDArray[np.float32]], None]
"""(person, as_of, rows of the matrix, matrix): computes the walk's columns of those rows."""

Placed = tuple[int, Feature]
"""A feature and its column of the matrix."""


@dataclass(frozen=True)
class _Window:
    """One window walk, independent of records: the streams it reads and the columns it computes."""

    group: Group
    streams: Membership
    windows: Int
    deepest: int
    weights: npt.NDArray[np.float64]
    needs: Int
    depth: Int
    ops: npt.NDArray[np.void]
    """``window_ops.ASKED``, one entry a feature."""
    only_added: bool
    """Counts, totals and means of one stream alone."""

    @cached_property
    def of_nothing(self) -> npt.NDArray[np.float32]:
        """What the features are where no event is: one value a feature, whatever the day."""
        values = np.empty((1, int(self.ops["column"].max()) + 1), np.float32)
        _walk_of(NO_EVENTS, self)(np.zeros(1, np.int64), np.zeros(1, np.int32), np.zeros(1, np.int64), values)
        return values[0, self.ops["column"]]


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
    windows: tuple[_Window, ...]
    coverage: _Ops | None
    depots: tuple[_Ops, ...]
    spells: tuple[_Spells, ...]
    bookings: BookingPlan | None
    planned_gaps: tuple[PlannedGaps, ...]
    schedule: due_dates.Verbs | None
    regimen: tuple[Int, Int] | None
    """Columns of the matrix, and the field of the regimen that each holds."""


def walks_for(records: Records, features: Sequence[Feature]) -> list[Walk]:
    """The walks that compute every feature. Raises SpecError for a verb that no walk computes."""
    plan = _PLANS.of(features)
    return [
        *(_window_walk(records, window) for window in plan.windows),
        *_coverage_walks(records, plan.coverage),
        *_depot_walks(records, plan.depots),
        *(_spell_walk(records, spells) for spells in plan.spells),
        *([] if plan.bookings is None else [booking_walk(records, plan.bookings)]),
        *(planned_gap_walk(records, gaps) for gaps in plan.planned_gaps),
        *_state_walks(records, plan.schedule, plan.regimen),
    ]


def _plan(features: tuple[Feature, ...]) -> _Plan:
    walks = (WINDOW_OPS, COVERAGE_OPS, DEPOT_OPS, SPELL_OPS, BOOKING_OPS, PLANNED_GAP_OPS, due_dates.VERBS)
    known = {"regimen", *(verb for verbs in walks for verb in verbs)}
    for feature in features:
        if feature.verb not in known:
            raise SpecError(f"{feature.name}: no kernel computes {feature.verb}; known are {', '.join(sorted(known))}")

    def placed(verbs: Iterable[str]) -> list[Placed]:
        return [(column, feature) for column, feature in enumerate(features) if feature.verb in verbs]

    covering, scheduled, booked = placed(COVERAGE_OPS), placed(due_dates.VERBS), placed(BOOKING_OPS)
    return _Plan(
        features,
        tuple(_windows(placed(WINDOW_OPS))),
        _coverage(covering) if covering else None,
        tuple(_Ops.of(members, DEPOT_OPS) for members in _by(placed(DEPOT_OPS), lambda f: f.stream)),
        tuple(_spells(members) for members in _by(placed(SPELL_OPS), lambda f: f.table)),
        BookingPlan.of(booked) if booked else None,
        tuple(PlannedGaps.of(some) for some in _by(placed(PLANNED_GAP_OPS), lambda f: (f.stream, f.of))),
        due_dates.Verbs.of(scheduled) if scheduled else None,
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


def _group_of(feature: Feature) -> Group:
    needs = NEEDS.get(feature.verb, 0)
    value = feature.value if needs & window_totals.NEEDS_VALUES else ""
    ident = feature.value if needs & window_totals.NEEDS_DISTINCT else ""
    clocks = dict.fromkeys(clocks_of(feature.stream, feature.value))
    if feature.of is not None:
        if feature.of.table != feature.table or feature.of.day_column != feature.stream.day_column:
            raise SpecError(f"{feature.name}: both streams of a share come from one table and one day column")
        clocks |= dict.fromkeys(clocks_of(feature.of))
    return Group(feature.table, feature.stream.day_column, tuple(clocks), value, ident)


def _windows(placed: Iterable[Placed]) -> Iterator[_Window]:
    groups: dict[Group, list[Placed]] = {}
    for column, feature in placed:
        groups.setdefault(_group_of(feature), []).append((column, feature))
    for group, members in _merged(groups).items():
        yield from _split(group, members)


def _merged(groups: dict[Group, list[Placed]]) -> dict[Group, list[Placed]]:
    """Merges features that read no value or identity into a walk over the same events that reads one."""
    merged: dict[Group, list[Placed]] = {}
    for group in sorted(groups, key=lambda g: (g.value == "", g.ident == "")):
        host = next((g for g in merged if _hosts(g, group)), group)
        merged.setdefault(host, []).extend(groups[group])
    return merged


def _hosts(host: Group, guest: Group) -> bool:
    same = (host.table, host.day_column, host.clocks) == (guest.table, guest.day_column, guest.clocks)
    return same and guest.value in ("", host.value) and guest.ident in ("", host.ident)


def _split(group: Group, members: list[Placed]) -> Iterator[_Window]:
    """One walk, or several if a group has more streams than a mask has bits."""
    batch: list[Placed] = []
    streams: dict[Stream, None] = {}
    for column, feature in members:
        mine = [feature.stream, *([feature.of] if feature.of else [])]
        if len({*streams, *mine}) > MAX_STREAMS:
            yield _window(group, batch, list(streams))
            batch, streams = [], {}
        batch.append((column, feature))
        streams |= dict.fromkeys(mine)
    yield _window(group, batch, list(streams))


def _window(group: Group, members: list[Placed], streams: list[Stream]) -> _Window:
    widths = sorted({feature.window for _, feature in members if feature.window != EVER})
    starts = [0, *widths]
    needs, depth = np.zeros(len(streams), np.int64), np.zeros(len(streams), np.int64)
    for _, feature in members:
        for stream in (feature.stream, feature.of):
            if stream is not None:
                place = streams.index(stream)
                depth[place] = max(depth[place], np.searchsorted(starts, reach(feature)))
                if stream is feature.stream or feature.verb in FADING_VERBS:
                    needs[place] |= NEEDS.get(feature.verb, 0)
    half_lives = sorted({int(feature.number) for _, feature in members if feature.verb in FADING_VERBS})
    ops = np.array(
        [
            (
                WINDOW_OPS[feature.verb],
                streams.index(feature.stream),
                streams.index(feature.of) if feature.of else 0,
                len(widths) if feature.window == EVER else widths.index(feature.window),
                feature.number,
                half_lives.index(int(feature.number)) if feature.verb in FADING_VERBS else 0,
                column,
            )
            for column, feature in members
        ],
        window_ops.ASKED,
    )
    return _Window(
        group,
        Membership.of(streams),
        windows=np.array([*widths, 2**30], np.int64),
        deepest=2**30 if any(feature.window == EVER for _, feature in members) else widths[-1],
        weights=window_ops.fading_weights(half_lives),
        needs=needs,
        depth=depth,
        ops=ops,
        only_added=len(streams) == 1 and bool(np.isin(ops["op"], window_ops.ADDED).all()),
    )


def _window_walk(records: Records, w: _Window) -> Walk:
    if not len(records.columns(w.group.table)["known_on"]):
        return _nothing_walk(w)
    events = events_of(records, w.group, w.streams)
    if not len(events.day):
        return _nothing_walk(w)
    if w.only_added and not len(events.until):
        return _sums_walk(events, w)
    return _walk_of(events, w)


def _nothing_walk(w: _Window) -> Walk:
    columns, nothing = w.ops["column"], w.of_nothing

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        values[rows[:, None], columns] = nothing

    return walk


def _walk_of(events: EventArrays, w: _Window) -> Walk:
    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        windows.window_kernel(
            events.offsets,
            events.day,
            events.known,
            events.until,
            events.bits,
            events.value,
            events.ident,
            person,
            as_of,
            rows,
            w.windows,
            w.deepest,
            w.weights,
            w.needs,
            w.depth,
            w.ops,
            values,
        )

    return walk


def _sums_walk(events: EventArrays, w: _Window) -> Walk:
    asked = w.windows[: w.ops["window"].max() + 1]

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        windows.sums_kernel(
            events.offsets,
            events.day,
            events.known,
            events.value,
            person,
            as_of,
            rows,
            asked,
            w.ops,
            values,
        )

    return walk


def _coverage_walks(records: Records, plan: _Ops | None) -> list[Walk]:
    if plan is None:
        return []
    columns = records.columns("supplies")
    bits = np.where((columns["as_required"] != 1) & ~is_injection(records), plan.streams.bits(records), np.uint64(0))
    once = supplies_once(records)
    medicine = _bases()[columns["medicine"]]
    stays = records.columns("stays")

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        coverage.coverage_kernel(
            records.offsets("supplies"),
            columns["supplied_on"],
            columns["known_on"],
            once.until,
            once.length,
            medicine,
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
    missed_after = _missed_after()[columns["medicine"]]

    def walk_of(plan: _Ops) -> Walk:
        keep = (plan.streams.bits(records) != 0) & given

        def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
            coverage.depot_kernel(
                records.offsets("supplies"),
                columns["supplied_on"],
                columns["known_on"],
                undone,
                lengths,
                missed_after,
                keep,
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


def _state_walks(records: Records, verbs: due_dates.Verbs | None, fields: tuple[Int, Int] | None) -> list[Walk]:
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
    values[rows[:, None], columns] = taking[:, chosen]
