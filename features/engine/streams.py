"""From a stream's description to arrays: which rows, which day, and the latest of the clocks of every column that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.engine.spec import Stream
from features.records import Records
from features.records.days import NO_DAY
from features.records.tables import TABLES, Column


def rows_of(records: Records, stream: Stream) -> npt.NDArray[np.bool_]:
    """Mask of the rows of ``stream.table`` that belong to the stream."""
    return records.once(stream, lambda: _rows_of(records, stream))


def _rows_of(records: Records, stream: Stream) -> npt.NDArray[np.bool_]:
    columns = records.columns(stream.table)
    keep = columns[stream.day_column] != NO_DAY
    for column, values in stream.where:
        keep = keep & _holds(stream.table, columns, column, values)
    for column, values in stream.unless:
        keep = keep & ~_holds(stream.table, columns, column, values)
    for column in stream.given:
        keep = keep & ~_missing(stream.table, columns, column)
    if stream.outside is not None:
        low, high = stream.outside
        value = columns["value"]
        past = np.zeros(len(value), dtype=bool)
        if low is not None:
            past |= value < low
        if high is not None:
            past |= value >= high
        keep = keep & past
    return np.asarray(keep)


def _missing(table: str, columns: Mapping[str, Any], name: str) -> npt.NDArray[np.bool_]:
    kind, values = _column(table, name).kind, columns[name]
    if kind in ("id", "text"):
        return np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    if kind == "number":
        return np.isnan(values)
    return np.asarray(values == (NO_DAY if kind == "date" else -1))


def _holds(table: str, columns: Mapping[str, Any], name: str, values: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    column = _column(table, name)
    if column.kind == "code":
        return _wanted(table, name, values)[columns[name]]
    if column.kind == "flag":
        return np.asarray(np.isin(columns[name], [1 if value == "true" else 0 for value in values]))
    found = pc.is_in(columns[name], pa.array(values, pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


@cache
def _column(table: str, name: str) -> Column:
    return TABLES[table].column(name)


@cache
def _wanted(table: str, name: str, values: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which codes of a column are among some values; the last place, which a missing code reads, is not."""
    column = TABLES[table].column(name)
    wanted = np.zeros(len(column.values) + 1, dtype=bool)
    wanted[[column.values.index(value) for value in values]] = True
    return wanted


def clocks_of(stream: Stream, value: str = "") -> tuple[str, ...]:
    """Day columns by which everything the stream reads was known: the row's own clock, and those of late columns it touches."""
    read = stream.columns_read(value)
    late = [late.known_on for late in TABLES[stream.table].late if late.column in read or late.known_on in read]
    if stream.table == "referrals" and "close_reason" in read:
        late.append("closed_known_on")
    return ("known_on", *dict.fromkeys(late))


def known_by(records: Records, stream: Stream, value: str = "") -> npt.NDArray[np.int32]:
    """The day by which each row's part in the stream was known: the latest of its clocks."""
    columns = records.columns(stream.table)
    known: npt.NDArray[np.int32] = columns["known_on"]
    for clock in clocks_of(stream, value)[1:]:
        known = np.maximum(known, columns[clock])
    return known


@dataclass(frozen=True)
class Group:
    """Streams of one table that share a day column, clocks, a value and an identity: one walk of one kernel."""

    table: str
    day_column: str
    clocks: tuple[str, ...]
    value: str
    ident: str


@dataclass(frozen=True)
class Events:
    """The arrays of one group, grouped by patient and sorted by day. ``bits`` is empty where there is one stream only."""

    offsets: npt.NDArray[np.int64]
    day: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32]
    bits: npt.NDArray[np.uint64]
    value: npt.NDArray[np.float64]
    ident: npt.NDArray[np.int32]


def events_of(records: Records, group: Group, streams: Sequence[Stream]) -> Events:
    """Events of up to 64 streams; a row that is in none of them is left out."""
    columns = records.columns(group.table)
    table = records.tables[group.table]
    inside = [rows_of(records, stream) for stream in streams]
    chosen = np.logical_or.reduce(inside)
    rows = None if chosen.all() else np.flatnonzero(chosen)
    offsets = table.offsets if rows is None else np.append(0, np.cumsum(chosen))[table.offsets]
    day = _of(columns[group.day_column], rows)
    if group.day_column != TABLES[group.table].event_day:
        # Rows lie by another day: put each person's own in order.
        rows = np.arange(len(day)) if rows is None else rows
        order = np.lexsort((day, table.patient[rows]))
        rows, day = rows[order], day[order]
    known = _of(columns["known_on"], rows)
    for clock in group.clocks[1:]:
        known = np.maximum(known, _of(columns[clock], rows))
    value = _of(columns[group.value], rows).astype(np.float64, copy=False) if group.value else np.zeros(0)
    ident = _identities(columns[group.ident], rows) if group.ident else np.zeros(0, dtype=np.int32)
    return Events(offsets.astype(np.int64, copy=False), day, known, _bits(inside, rows), value, ident)


def _of(values: npt.NDArray[Any], rows: npt.NDArray[np.int64] | None) -> npt.NDArray[Any]:
    """The chosen rows; where all are chosen, the column itself and no copy."""
    return values if rows is None else values[rows]


def _bits(inside: Sequence[npt.NDArray[np.bool_]], rows: npt.NDArray[np.int64] | None) -> npt.NDArray[np.uint64]:
    """One bit a stream; empty for a single stream, of which every chosen event is one."""
    if len(inside) == 1:
        return np.zeros(0, dtype=np.uint64)
    bits = np.zeros(len(inside[0]) if rows is None else len(rows), dtype=np.uint64)
    for position, mask in enumerate(inside):
        bits |= _of(mask, rows).astype(np.uint64) << np.uint64(position)
    return bits


def _identities(column: Any, rows: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int32]:
    if isinstance(column, np.ndarray):
        return _of(column, rows).astype(np.int32)
    taken = column if rows is None else column.take(pa.array(rows))
    codes = taken.dictionary_encode()
    codes = codes.unify_dictionaries().combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return np.asarray(codes.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)
