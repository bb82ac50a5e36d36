"""Contacts, stays and referrals that are one event: sent twice, amended, reopened, recorded in two systems, never
closed.

The version that became known last stands. What it adds (an outcome, a closure, a discharge) counts from the day that
it became known, and the event itself from the day that its first version became known, so that a feature of an earlier
day reads what was known then. Which row comes first in the extract never matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.records.attendance import attended, written
from features.records.days import NO_DAY
from features.records.table import take, words_of
from features.records.tables import TABLES

Rows = npt.NDArray[np.int64]
Columns = dict[str, Any]

OPEN_TOO_LONG_DAYS = 180
CONTACTS_AGAINST = 3
CONTACTS_SPAN_DAYS = 56
"""[D] A stay that was never closed is contradicted once it has been open for half a year and then three contacts are
attended over eight weeks."""

_LATE = {
    "referrals": ("closed_on", "closed_known_on"),
    "contacts": ("outcome", "outcome_known_on"),
    "stays": ("discharged_on", "discharge_known_on"),
}
_PLACE_OF_SAFETY = TABLES["stays"].column("ward").values.index("place_of_safety")
_UNKNOWN_WARD = TABLES["stays"].column("ward").values.index("unknown")
_OUTCOMES = TABLES["contacts"].column("outcome").values
_RANK = np.array(
    [
        ("planned", "cancelled_by_service", "cancelled_by_patient", "did_not_attend", "attended").index(o)
        for o in _OUTCOMES
    ]
)
"""Which outcome stands where two rows of one contact differ and became known on one day."""


@dataclass(frozen=True)
class OneEach:
    """The rows that stand, and how many were earlier versions of one (``replaced``) or the same event (``merged``)."""

    columns: Columns
    patient: npt.NDArray[np.int32]
    replaced: int = 0
    merged: int = 0


def one_each(table: str, columns: Columns, patient: npt.NDArray[np.int32]) -> OneEach:
    """Rows of one event put together. ``columns`` are typed, with both clocks filled in, rows in any order."""
    if table not in _LATE or not len(patient):
        return OneEach(columns, patient)
    event = str(TABLES[table].event_day)
    if table == "stays":
        keys: tuple[Any, ...] = (columns[event], _in_place_of_safety(columns), _ward_left_at_once(columns, patient))
    else:
        keys = (_codes(columns[str(TABLES[table].unique)]),)
    columns, patient, replaced = _put_together(table, columns, patient, keys)
    merged = 0
    if table == "contacts":  # a text about a visit and the visit are two
        keys = (columns[event], _codes(columns["team_id"]), columns["kind"], written(columns))
        columns, patient, merged = _put_together(table, columns, patient, keys)
    if table == "stays":
        columns, patient, merged = _union(columns, patient)
    return OneEach(columns, patient, replaced, merged)


def _in_place_of_safety(stays: Columns) -> npt.NDArray[np.bool_]:
    """A place of safety is no ward: a person goes from it to one, often on the same day, and that admission stands."""
    return np.asarray(stays["ward"] == _PLACE_OF_SAFETY)


def _ward_left_at_once(stays: Columns, patient: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The ward, where a person left one on the day of admission and every ward of that day is known, otherwise -1: a
    move to another ward on that day does not end the stay there."""
    ward, admission = stays["ward"], patient.astype(np.int64) * 1_000_003 + stays["admitted_on"]
    left = stays["discharged_on"] == stays["admitted_on"]
    if not left.any():
        return np.full(len(patient), -1, dtype=np.int64)
    unknown = (ward < 0) | (ward == _UNKNOWN_WARD)
    moved = np.isin(admission, admission[left]) & ~np.isin(admission, admission[unknown])
    return np.where(moved, ward.astype(np.int64), -1)


def _codes(text: pa.Array) -> npt.NDArray[np.int32]:
    return words_of(text)[0]


def _put_together(
    table: str, columns: Columns, patient: npt.NDArray[np.int32], keys: tuple[Any, ...]
) -> tuple[Columns, npt.NDArray[np.int32], int]:
    """Rows of one person with equal keys become one."""
    mixed = patient.astype(np.int64)
    for values in keys:
        mixed = mixed * np.int64(1_000_003) + np.asarray(values, dtype=np.int64)
    ordered = np.sort(mixed)
    if not (ordered[1:] == ordered[:-1]).any():
        return columns, patient, 0
    order = np.lexsort((*(np.asarray(values) for values in keys[::-1]), patient))
    same = patient[order[1:]] == patient[order[:-1]]
    for values in keys:
        same &= np.asarray(values)[order[1:]] == np.asarray(values)[order[:-1]]
    starts = np.flatnonzero(np.r_[True, ~same])
    columns = {name: values.copy() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    gone = np.zeros(len(patient), dtype=bool)
    sizes = np.diff(np.r_[starts, len(order)])
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        rows = order[start : start + size]
        gone[rows] = True
        gone[_stands(table, columns, rows)] = False
    kept = np.flatnonzero(~gone)
    return {name: take(values, kept) for name, values in columns.items()}, patient[kept], int(gone.sum())


def _stands(table: str, columns: Columns, rows: Rows) -> int:
    """The row that stands for all of ``rows``, with both clocks of the event put into it."""
    event = str(TABLES[table].event_day)
    late, late_known = _LATE[table]
    ordered = sorted(rows.tolist(), key=lambda row: _version(table, columns, row))
    last = ordered[-1]
    own_known = int(columns["known_on"][last])
    same_day = [row for row in ordered if columns[event][row] == columns[event][last]]
    columns["known_on"][last] = min(int(columns["known_on"][row]) for row in same_day)
    settled = columns[late][last] != NO_DAY if table != "contacts" else _OUTCOMES[columns[late][last]] != "planned"
    before = [row for row in same_day if columns[late][row] == columns[late][last]]
    if settled and len(before) == len(same_day):  # every version says so: the first to say it counts
        columns[late_known][last] = min(int(columns[late_known][row]) for row in same_day)
    elif settled:
        columns[late_known][last] = max(int(columns[late_known][last]), own_known)
    return last


def _version(table: str, columns: Columns, row: int) -> tuple[Any, ...]:
    """Ascending: the version that stands is the largest. What became known last; then a settled row before an open
    one; then the content, so that the order of the extract decides nothing."""
    late, late_known = _LATE[table]
    settled = _RANK[columns[late][row]] if table == "contacts" else int(columns[late][row] != NO_DAY)
    known = int(columns["known_on"][row])
    if table == "contacts" and settled and columns[late_known][row] != NO_DAY:
        known = max(known, int(columns[late_known][row]))
    content = tuple(str(_plain(columns[name], row)) for name in sorted(columns))
    if table == "stays":  # a closed row beats an open one, whenever it became known
        return settled, known, content
    return known, settled, content


def _plain(values: Any, row: int) -> Any:
    return values[row].as_py() if isinstance(values, (pa.Array, pa.ChunkedArray)) else values[row]


def _union(columns: Columns, patient: npt.NDArray[np.int32]) -> tuple[Columns, npt.NDArray[np.int32], int]:
    """Stays that overlap become one where nothing of it had to be known earlier than it was: the later row was known
    before the first one was known to have ended."""
    apart = patient.astype(np.int64) * 2 + _in_place_of_safety(columns)
    order = np.lexsort((columns["known_on"], columns["discharged_on"], columns["admitted_on"], apart))
    columns = {name: values.copy() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    admitted, ends = columns["admitted_on"], columns["discharged_on"]
    told, known = columns["discharge_known_on"], columns["known_on"]
    if not ((apart[order[1:]] == apart[order[:-1]]) & (admitted[order[1:]] < ends[order[:-1]])).any():
        return columns, patient, 0
    gone = np.zeros(len(patient), dtype=bool)
    head = int(order[0])
    for row in order[1:].tolist():
        closed = ends[head] != NO_DAY and ends[row] != NO_DAY
        inside = apart[row] == apart[head] and admitted[row] < ends[head]
        if not (closed and inside and (ends[row] <= ends[head] or known[row] <= told[head])):
            head = row
            continue
        gone[row] = True
        if ends[row] > ends[head]:
            ends[head], told[head] = ends[row], max(told[row], told[head])
    kept = np.flatnonzero(~gone)
    return {name: take(values, kept) for name, values in columns.items()}, patient[kept], int(gone.sum())


@dataclass(frozen=True)
class Contradiction:
    """A stay that was never closed and that later contacts contradict: its row, and from when it reads as ended."""

    row: int
    ended_on: int
    known_on: int
    contacts: int


def never_closed(
    stays: Columns,
    stay_patient: npt.NDArray[np.int32],
    contacts: Mapping[str, Any],
    offsets: npt.NDArray[np.int64],
) -> Iterator[Contradiction]:
    """Stays without an end that attended contacts contradict (``OPEN_TOO_LONG_DAYS`` and its like). Contacts are in the
    order of days. The person was an inpatient on every list until the last of those contacts was known, and is not
    after it: nothing is read before it was known."""
    with_person = attended(contacts)
    for row in np.flatnonzero(stays["discharged_on"] == NO_DAY).tolist():
        mine = slice(int(offsets[stay_patient[row]]), int(offsets[stay_patient[row] + 1]))
        day = contacts["contact_on"][mine]
        seen = with_person[mine] & (day > stays["admitted_on"][row] + OPEN_TOO_LONG_DAYS)
        days, known = day[seen], contacts["outcome_known_on"][mine][seen]
        for last in range(CONTACTS_AGAINST - 1, len(days)):
            if days[last] - days[0] >= CONTACTS_SPAN_DAYS:
                yield Contradiction(row, int(days[last]), int(known[: last + 1].max()), len(days))
                break
