"""Turns the description of a stream into arrays: which rows, their days, and the latest clock of every column read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.engine.stream_masks import Membership
from features.medicines.supply_days import is_injection, supplies_once
from features.records import Records
from features.records.tables import TABLES
from features.spec import Stream


def clocks_of(stream: Stream, value: str = "") -> tuple[str, ...]:
    """The day columns that say when everything the stream reads was known: the row's own clock, and those of
    columns known late.
    """
    read = stream.columns_read(value)
    late = [late.known_on for late in TABLES[stream.table].late if late.column in read or late.known_on in read]
    if stream.table == "referrals" and "close_reason" in read:
        late.append("closed_known_on")
    if stream.table == "contacts" and stream.day_column != "contact_on":
        late.append("booked_on")  # the appointment may lie ahead, so the booking itself must be known
    return ("known_on", *dict.fromkeys(late))


def known_by(columns: Mapping[str, Any], clocks: Sequence[str]) -> npt.NDArray[np.int32]:
    """The day on which each row of a table was known: the latest of the given clocks."""
    known: npt.NDArray[np.int32] = columns[clocks[0]]
    for clock in clocks[1:]:
        known = np.maximum(known, columns[clock])
    return known


@dataclass(frozen=True)
class Group:
    """Streams of one table that share a day column, clocks, a value and an identity, so that one walk of one kernel
    reads them.
    """

    table: str
    day_column: str
    clocks: tuple[str, ...]
    value: str
    ident: str


@dataclass(frozen=True)
class EventArrays:
    """The arrays of one group, grouped by patient and sorted by day. ``bits`` is empty if there is only one stream."""

    offsets: npt.NDArray[np.int64]
    day: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32]
    until: npt.NDArray[np.int32]
    """The last day on which each event stands: a supply that several rows tell of is one event. Empty where every
    event stands."""
    bits: npt.NDArray[np.unsignedinteger[Any]]
    value: npt.NDArray[np.float64]
    ident: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64] | None
    """Position of each event in its table; None if every row is an event, in the order of the table."""


def events_of(records: Records, group: Group, streams: Membership) -> EventArrays:
    """Events of the given streams; a row in none of them is left out."""
    columns = records.columns(group.table)
    table = records.tables[group.table]
    bits = streams.bits(records)
    rows = None if np.count_nonzero(bits) == len(bits) else bits.nonzero()[0]
    offsets = table.offsets if rows is None else rows.searchsorted(table.offsets)
    day = _of(columns[group.day_column], rows)
    if group.day_column != TABLES[group.table].event_day:
        # Rows are dated by another day, so sort them within each person.
        rows = np.arange(len(day)) if rows is None else rows
        order = day.argsort(kind="stable") if len(records) == 1 else np.lexsort((day, table.patient[rows]))
        rows, day = rows[order], day[order]
    known = _of(columns["known_on"], rows)
    for clock in group.clocks[1:]:
        known = np.maximum(known, _of(columns[clock], rows))
    until = _of(supplies_once(records).until, rows) if group.table == "supplies" else _ALL_STAND
    value = _of(_values(records, group), rows).astype(np.float64, copy=False) if group.value else _NO_VALUES
    ident = _identities(records, group.table, group.ident, rows) if group.ident else _NO_IDENTITIES
    # With a single stream no bits are needed: every event belongs to it.
    bits = _of(bits, rows) if len(streams.streams) > 1 else _NO_BITS
    return EventArrays(offsets.astype(np.int64, copy=False), day, known, until, bits, value, ident, rows)


def _values(records: Records, group: Group) -> npt.NDArray[Any]:
    """A column of numbers; the daily dose of a supply is that of all the strengths of its day."""
    values: npt.NDArray[Any] = records.columns(group.table)[group.value]
    if (group.table, group.value) == ("supplies", "daily_dose_mg"):
        return np.where(is_injection(records), values, supplies_once(records).dose_mg_a_day)
    return values


_ALL_STAND = np.zeros(0, np.int32)
_NO_VALUES = np.zeros(0, np.float64)
_NO_IDENTITIES = np.zeros(0, np.int32)
_NO_BITS = np.zeros(0, np.uint64)
_NO_IDENTITIES.flags.writeable = False
NO_EVENTS = EventArrays(
    np.zeros(2, np.int64), _ALL_STAND, _ALL_STAND, _ALL_STAND, _NO_BITS, _NO_VALUES, _NO_IDENTITIES, None
)
"""One person without an event."""


def _of(values: npt.NDArray[Any], rows: npt.NDArray[np.int64] | None) -> npt.NDArray[Any]:
    """The chosen rows; if all are chosen, the column itself without a copy."""
    return values if rows is None else values[rows]


def _identities(records: Records, table: str, name: str, rows: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int32]:
    column = records.columns(table)[name]
    places = column if isinstance(column, np.ndarray) else records.words(table, name)[0]
    found = _of(places, rows).astype(np.int32, copy=False).view()
    found.flags.writeable = False  # as codes of words are: the kernel of windows is compiled for one type, not for two
    return found
