"""From features to walks: which features one compiled walk can fill together, and the arrays it needs. Made once per build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.engine import kernels, regimen, schedule, supply
from features.engine.lengths import is_injection, lengths_of
from features.engine.spec import EVER, Feature, SpecError, Stream
from features.engine.streams import Group, clocks_of, events_of, known_by, rows_of
from features.records import Records
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES

Int = npt.NDArray[np.int64]
Walk = Callable[[Int, npt.NDArray[np.int32], Int, npt.NDArray[np.float32]], None]
"""(person, as_of, rows of the matrix, matrix): fills the walk's columns of those rows."""

Placed = tuple[int, Feature]
"""A feature and its column of the matrix."""

WINDOW_OPS = {
    "count": kernels.COUNT,
    "total": kernels.TOTAL,
    "mean": kernels.MEAN,
    "highest": kernels.HIGHEST,
    "lowest": kernels.LOWEST,
    "latest": kernels.LATEST,
    "change": kernels.CHANGE,
    "slope": kernels.SLOPE,
    "distinct": kernels.DISTINCT,
    "share": kernels.SHARE,
    "days_since_last": kernels.SINCE_LAST,
    "days_since_first": kernels.SINCE_FIRST,
    "count_since": kernels.COUNT_SINCE,
    "recent_share": kernels.RECENT_SHARE,
    "gap_ratio": kernels.GAP_RATIO,
    "percent_change": kernels.PERCENT_CHANGE,
    "usual_provider": kernels.USUAL_PROVIDER,
    "never_recorded": kernels.NEVER_RECORDED,
}
COVERAGE_OPS = {
    "covered_share": supply.COVERED,
    "covered_change": supply.COVERED_CHANGE,
    "supply_gap_days": supply.GAP,
    "supply_left_days": supply.LEFT,
    "longest_supply_gap": supply.LONGEST_GAP,
    "supply_gaps_over": supply.GAPS_OVER,
    "interval_share": supply.INTERVAL_SHARE,
    "pick_up_spread": supply.PICK_UP_SPREAD,
    "in_hand_at_discharge": supply.IN_HAND_AT_DISCHARGE,
}
DEPOT_OPS = {
    "depot_days_past_due": supply.PAST_DUE,
    "depot_late_share": supply.LATE_SHARE,
    "depot_late_band": supply.LATE_BETWEEN,
    "depot_missed_windows": supply.MISSED_WINDOWS,
}
SPELL_VERBS = ("days_in_spell", "spell_length")
SCHEDULE_VERBS = ("days_past_due", "tests_due", "tests_overdue", "tests_unsure", "complete_share", "blood_colour")
NEEDS = {
    "total": kernels.NEEDS_VALUES,
    "mean": kernels.NEEDS_VALUES,
    "highest": kernels.NEEDS_VALUES | kernels.NEEDS_EXTREMES,
    "lowest": kernels.NEEDS_VALUES | kernels.NEEDS_EXTREMES,
    "latest": kernels.NEEDS_VALUES | kernels.NEEDS_ENDS,
    "change": kernels.NEEDS_VALUES | kernels.NEEDS_ENDS,
    "percent_change": kernels.NEEDS_VALUES | kernels.NEEDS_ENDS,
    "slope": kernels.NEEDS_VALUES | kernels.NEEDS_TREND,
    "distinct": kernels.NEEDS_DISTINCT,
    "usual_provider": kernels.NEEDS_DISTINCT,
    "gap_ratio": kernels.NEEDS_GAPS,
}
"""What each window verb reads of an event beside its day."""
MAX_STREAMS = 64


@dataclass(frozen=True)
class _Window:
    """One window walk before it meets records: which streams it reads and what it fills."""

    group: Group
    streams: tuple[Stream, ...]
    windows: Int
    deepest: int
    needs: Int
    ops: Int
    op_stream: Int
    op_other: Int
    op_window: Int
    op_number: npt.NDArray[np.float64]
    op_column: Int


@dataclass(frozen=True)
class _Plan:
    """How a list of features is walked, whatever the records: the same for every request, so made once."""

    features: tuple[Feature, ...]
    windows: tuple[_Window, ...]
    coverage: list[Placed]
    depot: list[Placed]
    spells: list[Placed]
    schedule: list[Placed]
    regimen: list[Placed]


_PLANS: dict[tuple[int, ...], _Plan] = {}
MOST_PLANS = 16


def walks_for(records: Records, features: Sequence[Feature]) -> list[Walk]:
    """The walks that fill every feature. Raises SpecError for a verb that no walk knows."""
    plan = _plan_of(features)
    return [
        *(_window_walk(records, window) for window in plan.windows),
        *_coverage_walks(records, plan.coverage),
        *_depot_walks(records, plan.depot),
        *_spell_walks(records, plan.spells),
        *_schedule_walks(records, plan.schedule),
        *_regimen_walks(records, plan.regimen),
    ]


def _plan_of(features: Sequence[Feature]) -> _Plan:
    """By identity: comparing hundreds of features takes longer than a person's walks. A plan holds its features, so no id is used twice."""
    key = tuple(map(id, features))
    plan = _PLANS.get(key)
    if plan is None:
        plan = _plan(tuple(features))
        while len(_PLANS) >= MOST_PLANS:
            _PLANS.pop(next(iter(_PLANS)), None)
        _PLANS[key] = plan
    return plan


def _plan(features: tuple[Feature, ...]) -> _Plan:
    known = {"regimen", *WINDOW_OPS, *COVERAGE_OPS, *DEPOT_OPS, *SPELL_VERBS, *SCHEDULE_VERBS}
    for feature in features:
        if feature.verb not in known:
            raise SpecError(f"{feature.name}: no kernel computes {feature.verb}; known are {', '.join(sorted(known))}")

    def placed(verbs: Iterable[str]) -> list[Placed]:
        return [(column, feature) for column, feature in enumerate(features) if feature.verb in verbs]

    return _Plan(
        features,
        tuple(_windows(placed(WINDOW_OPS))),
        placed(COVERAGE_OPS),
        placed(DEPOT_OPS),
        placed(SPELL_VERBS),
        placed(SCHEDULE_VERBS),
        placed(("regimen",)),
    )


def _group_of(feature: Feature) -> Group:
    needs = NEEDS.get(feature.verb, 0)
    value = feature.value if needs & kernels.NEEDS_VALUES else ""
    ident = feature.value if needs & kernels.NEEDS_DISTINCT else ""
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
    """Features that read no value or identity join a walk over the same events that does: one walk fills them all."""
    merged: dict[Group, list[Placed]] = {}
    for group in sorted(groups, key=lambda g: (g.value == "", g.ident == "")):
        host = next((g for g in merged if _hosts(g, group)), group)
        merged.setdefault(host, []).extend(groups[group])
    return merged


def _hosts(host: Group, guest: Group) -> bool:
    same = (host.table, host.day_column, host.clocks) == (guest.table, guest.day_column, guest.clocks)
    return same and guest.value in ("", host.value) and guest.ident in ("", host.ident)


def _split(group: Group, members: list[Placed]) -> Iterator[_Window]:
    """One walk, or several where a group has more streams than a mask has bits."""
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
    needs = np.zeros(len(streams), np.int64)
    for _, feature in members:
        needs[streams.index(feature.stream)] |= NEEDS.get(feature.verb, 0)
    return _Window(
        group,
        tuple(streams),
        windows=np.array([*widths, 2**30], np.int64),
        deepest=2**30 if any(feature.window == EVER for _, feature in members) else widths[-1],
        needs=needs,
        ops=np.array([WINDOW_OPS[feature.verb] for _, feature in members], np.int64),
        op_stream=np.array([streams.index(feature.stream) for _, feature in members], np.int64),
        op_other=np.array([streams.index(feature.of) if feature.of else 0 for _, feature in members], np.int64),
        op_window=np.array([len(widths) if f.window == EVER else widths.index(f.window) for _, f in members], np.int64),
        op_number=np.array([feature.number for _, feature in members], np.float64),
        op_column=np.array([column for column, _ in members], np.int64),
    )


def _window_walk(records: Records, w: _Window) -> Walk:
    events = events_of(records, w.group, w.streams)

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        kernels.window_kernel(
            events.offsets,
            events.day,
            events.known,
            events.bits,
            events.value,
            events.ident,
            person,
            as_of,
            rows,
            w.windows,
            w.deepest,
            w.needs,
            w.ops,
            w.op_stream,
            w.op_other,
            w.op_window,
            w.op_number,
            w.op_column,
            values,
        )

    return walk


def _coverage_walks(records: Records, placed: list[Placed]) -> list[Walk]:
    if not placed:
        return []
    classes = list(dict.fromkeys(feature.stream for _, feature in placed))
    columns = records.columns("supplies")
    bits = np.zeros(len(columns["known_on"]), np.uint64)
    usable = (columns["as_required"] != 1) & ~is_injection(records)
    for position, stream in enumerate(classes):
        bits |= (rows_of(records, stream) & usable).astype(np.uint64) << np.uint64(position)
    lengths = lengths_of(records)
    base = {name: place for place, name in enumerate(dict.fromkeys(m.base for m in MEDICINES.values()))}
    medicine = np.array([base[m.base] for m in MEDICINES.values()], np.int64)[columns["medicine"]]
    stays = records.columns("stays")
    ops = np.array([COVERAGE_OPS[feature.verb] for _, feature in placed], np.int64)
    op_class = np.array([classes.index(feature.stream) for _, feature in placed], np.int64)
    op_window = np.array([feature.window for _, feature in placed], np.int64)
    op_number = np.array([feature.number for _, feature in placed], np.int64)
    op_column = np.array([column for column, _ in placed], np.int64)
    for _, feature in placed:
        most = feature.window * (2 if feature.verb == "covered_change" else 1)
        if most > supply.LONGEST_WINDOW:
            raise SpecError(f"{feature.name}: coverage looks back {supply.LONGEST_WINDOW} days at most")

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        supply.coverage_kernel(
            records.offsets("supplies"),
            columns["supplied_on"],
            columns["known_on"],
            lengths,
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
            ops,
            op_class,
            op_window,
            op_number,
            op_column,
            values,
        )

    return [walk]


def _depot_walks(records: Records, placed: list[Placed]) -> list[Walk]:
    columns = records.columns("supplies")
    lengths = lengths_of(records) if placed else np.zeros(0, np.int32)
    by_stream: dict[Stream, list[Placed]] = {}
    for column, feature in placed:
        by_stream.setdefault(feature.stream, []).append((column, feature))
    return [_depot_walk(records, columns, lengths, stream, members) for stream, members in by_stream.items()]


def _depot_walk(
    records: Records,
    columns: Mapping[str, Any],
    lengths: npt.NDArray[np.int32],
    stream: Stream,
    members: list[Placed],
) -> Walk:
    kinds = TABLES["supplies"].column("kind").values
    given = (columns["kind"] == kinds.index("administered")) | (columns["kind"] < 0)
    keep = rows_of(records, stream) & is_injection(records) & given
    limits = np.array([m.lai_missed_dose_rule_after_days or 2**30 for m in MEDICINES.values()])
    missed_after = limits[columns["medicine"]].astype(np.int64)
    ops = np.array([DEPOT_OPS[feature.verb] for _, feature in members], np.int64)
    op_window = np.array([feature.window for _, feature in members], np.int64)
    op_number = np.array([feature.number for _, feature in members], np.int64)
    op_column = np.array([column for column, _ in members], np.int64)

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        supply.depot_kernel(
            records.offsets("supplies"),
            columns["supplied_on"],
            columns["known_on"],
            lengths,
            missed_after,
            keep,
            person,
            as_of,
            rows,
            ops,
            op_window,
            op_number,
            op_column,
            values,
        )

    return walk


def _spell_walks(records: Records, placed: list[Placed]) -> list[Walk]:
    by_table: dict[str, list[Placed]] = {}
    for column, feature in placed:
        by_table.setdefault(feature.table, []).append((column, feature))
    return [_spell_walk(records, table, members) for table, members in by_table.items()]


def _spell_walk(records: Records, table: str, members: list[Placed]) -> Walk:
    columns = records.columns(table)
    (late,) = TABLES[table].late
    start = columns[TABLES[table].event_day or ""]
    known = members[0][1].stream
    keep = np.array([rows_of(records, feature.stream) for _, feature in members])
    start_known = known_by(records, known)
    windows = np.array([feature.window for _, feature in members], np.int64)
    lengths = np.array([feature.verb == "spell_length" for _, feature in members], np.int64)
    op_column = np.array([column for column, _ in members], np.int64)
    end = np.where(columns[late.column] == NO_DAY, np.int32(NO_DAY), columns[late.column])

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        kernels.spell_kernel(
            records.offsets(table),
            start,
            start_known,
            end,
            columns[late.known_on],
            keep,
            person,
            as_of,
            rows,
            windows,
            lengths,
            op_column,
            values,
        )

    return walk


def _schedule_walks(records: Records, placed: list[Placed]) -> list[Walk]:
    if not placed:
        return []
    prepared = schedule.prepare(records)
    grace = schedule.grace_days()
    chosen = [(column, feature, schedule.select(feature.scope, feature.tests)) for column, feature in placed]
    for _, feature, items in chosen:
        if not items:
            raise SpecError(
                f"{feature.name}: no protocol schedules {', '.join(feature.tests) or 'anything'} for {feature.scope or 'anyone'}"
            )

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        dues = schedule.due_dates(prepared, person, as_of)
        for column, feature, items in chosen:
            if feature.verb == "blood_colour":
                values[rows, column] = np.where(dues.situation.counted, dues.situation.colour[0], np.nan)
                continue
            mine, rule = dues.day[:, items], dues.protocol[:, items]
            scheduled = rule >= 0
            if feature.verb == "days_past_due":
                earliest = mine.min(axis=1)
                past = as_of.astype(np.int64) - earliest
                values[rows, column] = np.where(earliest == NO_DAY, np.nan, past)
                continue
            if feature.verb == "tests_unsure":
                hit = dues.unsure[:, items] & ~scheduled
                values[rows, column] = _tests_hit(hit, items)
                continue
            any_due = scheduled.any(axis=1)
            if feature.verb == "tests_due":
                hit = scheduled & (mine <= as_of[:, None])
            else:
                hit = scheduled & (as_of[:, None] > mine + grace[rule])
            if feature.verb == "complete_share":
                asked = _tests_hit(scheduled, items)
                share = 1 - _tests_hit(hit, items) / np.maximum(asked, 1)
                values[rows, column] = np.where(any_due, share, np.nan)
                continue
            values[rows, column] = np.where(any_due, _tests_hit(hit, items), np.nan)

    return [walk]


def _regimen_walks(records: Records, placed: list[Placed]) -> list[Walk]:
    if not placed:
        return []
    prepared = regimen.prepare(records)
    for _, feature in placed:
        if feature.value not in regimen.FIELDS:
            raise SpecError(
                f"{feature.name}: the regimen has no field {feature.value}; it has {', '.join(regimen.FIELDS)}"
            )
    columns = [column for column, _ in placed]
    fields = [regimen.FIELDS.index(feature.value) for _, feature in placed]

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        found = regimen.regimen_of(prepared, person, as_of)
        for column, field in zip(columns, fields, strict=True):
            values[rows, column] = found[:, field]

    return [walk]


def _tests_hit(hit: npt.NDArray[np.bool_], items: list[int]) -> npt.NDArray[np.int64]:
    """How many different tests are hit: a test that two protocols ask for counts once."""
    count = np.zeros(len(hit), np.int64)
    for places in _by_test(tuple(items)):
        count += hit[:, places[0]] if len(places) == 1 else hit[:, places].any(axis=1)
    return count


@cache
def _by_test(items: tuple[int, ...]) -> list[list[int]]:
    """The places among ``items`` of each test."""
    found: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        found.setdefault(schedule.items()[item].test, []).append(place)
    return list(found.values())
