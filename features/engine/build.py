"""``build`` turns records into features, for training, the nightly run and single requests alike.

Features that one walk can compute are grouped; people are split into shards; threads run the compiled walks of a
shard, and each writes its own rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.engine.matrix import FeatureMatrix, in_order, read_spine
from features.engine.plan import walks_for
from features.engine.plan_cache import ByFeatures
from features.engine.walk import Walk
from features.jit import jit
from features.records import Records
from features.records.memory import give_back
from features.records.records import KEPT_PEOPLE
from features.spec import Feature

MIN_SHARD = 64
SHARDS_PER_THREAD = 8
MAX_SHARD = 20_000
"""Largest number of rows in a shard, which limits the memory of a walk's working arrays."""
MAX_BLOCK = 200_000
"""Number of rows whose people are prepared together, which limits the memory of their arrays."""
LARGE_SPINE = 100_000
"""From so many rows on, what reading the spine freed is returned to the system before the walks begin."""

Values = npt.NDArray[np.float32]


def build(
    records: Records,
    spine: pd.DataFrame,
    features: Sequence[Feature],
    *,
    threads: int | None = None,
) -> FeatureMatrix:
    """Features of every row of ``spine`` (patient_id, as_of[, team_id]), rows in the order given.

    ``threads`` defaults to the number of cores. Raises SpineError for rows that cannot be computed.
    """
    person, day = read_spine(records, spine)
    if len(spine) >= LARGE_SPINE:
        give_back()
    values = build_values(records, person, day, features, threads=threads)
    return FeatureMatrix(values, tuple(feature.name for feature in features), spine)


def build_values(
    records: Records,
    person: npt.NDArray[np.int64],
    day: npt.NDArray[np.int32],
    features: Sequence[Feature],
    *,
    threads: int | None = None,
) -> Values:
    """The same without pandas: takes positions in ``records.patient_ids`` and day numbers, returns float32 (rows x
    features).
    """
    values = _values(records, person, day, features, threads=threads)
    for rows in _of_corrected(records, person, day):
        # Rows that were corrected since: the few people they are about, as they were known on that day.
        people, then = np.unique(person[rows]), int(day[rows[0]])
        known = records.at(people).as_known(then)
        values[rows] = _values(known, np.searchsorted(people, person[rows]), day[rows], features, threads=threads)
    return values


def _of_corrected(
    records: Records, person: npt.NDArray[np.int64], day: npt.NDArray[np.int32]
) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of the spine that read a row which was corrected since, those of one day together."""
    if not records.versions:
        return
    rows = np.flatnonzero(records.read_otherwise(person, day))
    rows = rows[np.argsort(day[rows], kind="stable")]
    if len(rows):
        yield from np.split(rows, np.flatnonzero(np.diff(day[rows])) + 1)


def _values(
    records: Records,
    person: npt.NDArray[np.int64],
    day: npt.NDArray[np.int32],
    features: Sequence[Feature],
    *,
    threads: int | None,
) -> Values:
    values = np.empty((len(person), len(features)), dtype=np.float32)
    if not len(person) or not features:
        return values
    order = None if in_order(person, day) else np.lexsort((day, person))
    if order is not None:
        person, day = person[order], day[order]
    workers = max(1, threads or os.cpu_count() or 1)
    limits = _LIMITS.of(features)
    for start, end in _ranges(person, -(-len(person) // MAX_BLOCK)):
        people, low = records, 0
        if end - start < len(person) or len(records) > KEPT_PEOPLE:
            low = int(person[start])
            people = records.between(low, int(person[end - 1]) + 1)
        walks = walks_for(people, features)

        def run(shard: tuple[int, int], *, start: int = start, low: int = low, walks: list[Walk] = walks) -> None:
            first, last = shard[0] + start, shard[1] + start
            rows = np.arange(first, last) if order is None else order[first:last]
            values[slice(first, last) if order is None else rows] = np.nan
            for walk in walks:
                walk(person[first:last] - low, day[first:last], rows, values)
            limits.apply(values, rows)

        shards = _shards(person[start:end], workers)
        if len(shards) == 1:
            run(shards[0])
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(run, shards))
    return values


def _shards(person: npt.NDArray[np.int64], workers: int) -> list[tuple[int, int]]:
    rows = len(person)
    return _ranges(person, 1 if rows < MIN_SHARD else max(workers * SHARDS_PER_THREAD, -(-rows // MAX_SHARD)))


def _ranges(person: npt.NDArray[np.int64], wanted: int) -> list[tuple[int, int]]:
    """About ``wanted`` ranges of rows that never split a person."""
    rows = len(person)
    edges = [0]
    for part in range(1, wanted):
        edge = int(np.searchsorted(person, person[min(rows - 1, rows * part // wanted)], side="left"))
        if edge > edges[-1]:
            edges.append(edge)
    return list(zip(edges, [*edges[1:], rows], strict=True))


@dataclass(frozen=True)
class _Limits:
    """The range of each feature and the meaning of a missing value, one entry per column."""

    low: Values
    high: Values
    zero: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, features: Sequence[Feature]) -> _Limits:
        low, high = (np.array([getattr(f, end) for f in features], np.float32) for end in ("low", "high"))
        return cls(low, high, np.array([f.missing == "zero" for f in features]))

    def apply(self, values: Values, rows: npt.NDArray[np.int64]) -> None:
        """Applies the limits to some rows in place: sets missing to zero if that is the rule, and clips to the
        range.
        """
        _put_inside(values, rows, self.low, self.high, self.zero)


@jit(_nrt=False)
def _put_inside(values, rows, low, high, zero):  # type: ignore[no-untyped-def]
    """Applies :class:`_Limits` in one pass."""
    nothing = np.float32(0.0)
    for row in rows:
        for k in range(values.shape[1]):
            x = values[row, k]
            # without a jump, so that eight values are done at once
            inside = low[k] if x < low[k] else (high[k] if x > high[k] else x)
            values[row, k] = nothing if (x != x) & zero[k] else inside


_LIMITS = ByFeatures(_Limits.of)
