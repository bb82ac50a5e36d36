"""Walks of window features: which of them one walk over events can compute together, and the walk itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.engine.events import NO_EVENTS, EventArrays, Group, clocks_of, events_of
from features.engine.operations import NEEDS, WINDOW_OPS, reach
from features.engine.stream_masks import MAX_STREAMS, Membership
from features.engine.walk import Placed, Walk
from features.kernels import window_ops, window_totals, windows
from features.records import Records
from features.spec import EVER, FADING_VERBS, Feature, SpecError, Stream

Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WindowPlan:
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


def window_plans(placed: Iterable[Placed]) -> Iterator[WindowPlan]:
    """The walks that compute the given features. Raises SpecError for a share of two kinds of events."""
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


def _split(group: Group, members: list[Placed]) -> Iterator[WindowPlan]:
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


def _window(group: Group, members: list[Placed], streams: list[Stream]) -> WindowPlan:
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
    return WindowPlan(
        group,
        Membership.of(streams),
        windows=np.array([*widths, 2**30], np.int64),
        deepest=2**30 if any(feature.window == EVER for _, feature in members) else widths[-1],
        weights=_by_fours(window_ops.fading_weights(half_lives)),
        needs=needs,
        depth=depth,
        ops=ops,
        only_added=len(streams) == 1 and bool(np.isin(ops["op"], window_ops.ADDED).all()),
    )


def _by_fours(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The weights with so many half-lives more, of weight 0, that the walk can add four at a time."""
    return np.pad(weights, ((0, 0), (0, -weights.shape[1] % 4)))


def window_walk(records: Records, w: WindowPlan) -> Walk:
    """The walk that computes every feature of ``w``."""
    if not len(records.columns(w.group.table)["known_on"]):
        return _nothing_walk(w)
    events = events_of(records, w.group, w.streams)
    if not len(events.day):
        return _nothing_walk(w)
    if w.only_added and not len(events.until):
        return _sums_walk(events, w)
    return _walk_of(events, w)


def _nothing_walk(w: WindowPlan) -> Walk:
    columns, nothing = w.ops["column"], w.of_nothing

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        values[rows[:, None], columns] = nothing

    return walk


def _walk_of(events: EventArrays, w: WindowPlan) -> Walk:
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


def _sums_walk(events: EventArrays, w: WindowPlan) -> Walk:
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
