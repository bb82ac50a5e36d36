"""Joins rows of contacts, stays and referrals that are one event: sent twice, amended, reopened, recorded in two
systems or never closed.

The version known last is kept. What it adds (an outcome, a closure, a discharge) counts from the day it became known,
and the event itself from the day its first version became known, so that a feature of an earlier day reads what was
known then. The order of rows in the extract does not matter.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.records.attendance import attended, written
from features.records.days import NO_DAY
from features.records.table import distinct_numbers, take
from features.records.tables import MODES, TABLES

Columns = dict[str, Any]
Span = tuple[int, int, int]
"""Place of a person, and the days after which and up to which an earlier version differs."""
Spans = tuple[Span, ...]

OPEN_TOO_LONG_DAYS = 180
CONTACTS_AGAINST = 3
CONTACTS_SPAN_DAYS = 56
"""[D] A stay that was never closed is contradicted once it has been open for half a year and then three contacts are
attended over eight weeks."""

LATE = {
    "referrals": ("closed_on", "closed_known_on"),
    "contacts": ("outcome", "outcome_known_on"),
    "stays": ("discharged_on", "discharge_known_on"),
}
_PLACE_OF_SAFETY = TABLES["stays"].column("ward").values.index("place_of_safety")
_UNKNOWN_WARD = TABLES["stays"].column("ward").values.index("unknown")
_MODE_NOT_RECORDED = MODES.index("not_recorded")
_OUTCOMES = TABLES["contacts"].column("outcome").values
_RANK = np.array(
    [
        ("planned", "cancelled_by_service", "cancelled_by_patient", "did_not_attend", "attended").index(o)
        for o in _OUTCOMES
    ]
)
"""Which outcome is kept if two rows of one contact differ and became known on one day."""


@dataclass(frozen=True)
class OneEach:
    """The rows that stand, and how many were earlier versions of one (``replaced``) or the same event (``merged``).

    ``spans`` says for whom (place) and when an earlier version differs: after the first day and up to the
    second, the rows that stand are not what was known.
    """

    columns: Columns
    patient: npt.NDArray[np.int32]
    replaced: int = 0
    merged: int = 0
    spans: Spans = ()


def one_each(table: str, columns: Columns, patient: npt.NDArray[np.int32]) -> OneEach:
    """Rows of one event put together. ``columns`` are typed, with both clocks filled in, rows in any order."""
    if table not in LATE or not len(patient):
        return OneEach(columns, patient)
    event = str(TABLES[table].event_day)
    spans: list[Span] = []
    if table == "stays":
        keys: tuple[Any, ...] = (columns[event], _in_place_of_safety(columns), _ward_left_at_once(columns, patient))
    else:
        keys = (distinct_numbers(columns[str(TABLES[table].unique)]),)
    columns, patient, replaced = _put_together(table, columns, patient, keys, spans)
    merged = 0
    if table == "contacts":  # a text about a visit is not the visit
        keys = (columns[event], distinct_numbers(columns["team_id"]), columns["kind"], written(columns))
        columns, patient, merged = _put_together(table, columns, patient, keys, spans)
    if table == "stays":
        columns, patient, merged = _union(columns, patient, spans)
    return OneEach(columns, patient, replaced, merged, tuple(spans))


def _in_place_of_safety(stays: Columns) -> npt.NDArray[np.bool_]:
    """A place of safety is not a ward: a person goes from it to one, often on the same day, and that admission is
    kept.
    """
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


def _put_together(
    table: str, columns: Columns, patient: npt.NDArray[np.int32], keys: tuple[Any, ...], spans: list[Span]
) -> tuple[Columns, npt.NDArray[np.int32], int]:
    """Rows of one person with equal keys become one; fills ``spans`` (see :class:`OneEach`)."""
    mixed = patient.astype(np.int64)
    for values in keys:
        mixed = mixed * np.int64(1_000_003) + np.asarray(values, dtype=np.int64)
    ordered = np.sort(mixed)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return columns, patient, 0
    rows = np.flatnonzero(twice[np.minimum(np.searchsorted(twice, mixed), len(twice) - 1)] == mixed)
    keys = patient[rows], *(np.asarray(values)[rows] for values in keys)
    sorting = np.lexsort(keys[::-1])
    order = rows[sorting]
    same = np.logical_and.reduce([values[sorting[1:]] == values[sorting[:-1]] for values in keys])
    starts = np.flatnonzero(np.r_[True, ~same])
    columns = {name: values.copy() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    gone = np.zeros(len(patient), dtype=bool)
    sizes = np.diff(np.r_[starts, len(order)])
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        versions = [_Version.read(table, columns, row) for row in order[start : start + size].tolist()]
        stands = _composite(versions)
        if (days := _differing(versions, stands)) is not None:
            spans.append((int(patient[stands.row]), *days))
        gone[order[start : start + size]] = True
        gone[stands.row] = False
        columns["known_on"][stands.row] = stands.known
        columns[LATE[table][1]][stands.row] = stands.late_known
    kept = np.flatnonzero(~gone)
    return {name: take(values, kept) for name, values in columns.items()}, patient[kept], int(gone.sum())


@dataclass(frozen=True)
class _Version:
    """One row of an event. ``late`` is what the row adds later (an outcome, an end), ``open`` where that is nothing."""

    table: str
    row: int
    day: int
    known: int
    late_known: int
    late: tuple[Any, ...]
    open: bool
    rest: tuple[Any, ...]
    mode: int

    @classmethod
    def read(cls, table: str, columns: Columns, row: int) -> _Version:
        late, clock = LATE[table]
        names = [late, *(["close_reason"] if table == "referrals" else [])]
        said = tuple(_plain(columns[name], row) for name in names)
        blank = bool(said[0] == NO_DAY) if table != "contacts" else _OUTCOMES[said[0]] == "planned"
        rest = tuple(_plain(columns[n], row) for n in sorted(columns) if n not in (*names, clock, "known_on", "mode"))
        mode = int(columns["mode"][row]) if table == "contacts" else -1
        mode = -1 if mode == _MODE_NOT_RECORDED else mode  # written only once somebody has attended
        day = int(columns[str(TABLES[table].event_day)][row])
        return cls(table, row, day, int(columns["known_on"][row]), int(columns[clock][row]), said, blank, rest, mode)

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key; the version that is kept is the largest. A version known later is larger, then a settled row,
        then the content, so that the order of the extract does not matter.
        """
        settled = int(_RANK[self.late[0]]) if self.table == "contacts" else int(not self.open)
        known = self.known
        if self.table == "contacts" and settled and self.late_known != NO_DAY:
            known = max(known, self.late_known)
        content = tuple(map(str, self.says()))
        if self.table == "stays":  # a closed row is preferred to an open one, whenever it became known
            return settled, known, content, self.late_known
        return known, settled, content, self.late_known

    @property
    def shown(self) -> int:
        """The day after which the late part is read: known, and for an end also past."""
        return self.late_known if self.table == "contacts" else max(self.late_known, int(self.late[0]))

    def as_known(self, day: int) -> _Version | None:
        """The row as one could read it at 00:00 of a day."""
        if self.known >= day:
            return None
        if self.open or self.shown < day:
            return self
        return replace(self, late=_BLANK[self.table], late_known=NO_DAY, open=True)

    def says(self) -> tuple[Any, ...]:
        return *self.late, *self.rest, self.mode


_BLANK: dict[str, tuple[int, ...]] = {
    "contacts": (_OUTCOMES.index("planned"),),
    "referrals": (NO_DAY, -1),
    "stays": (NO_DAY,),
}
"""What the late part of a row says while it is not known."""


def _composite(versions: list[_Version]) -> _Version:
    """The version that represents all rows, with both clocks of the event."""
    ordered = sorted(versions, key=lambda one: one.order)
    last = ordered[-1]
    same_day = [one for one in ordered if one.day == last.day]
    known, late_known = min(one.known for one in same_day), last.late_known
    if not last.open:
        since = len(same_day)
        while since and same_day[since - 1].late == last.late:
            since -= 1
        run = same_day[since:]
        # the first row with it counts: the day its late part was known, or the row that brought it where others have
        # something else before
        late_known = min(max(one.late_known, one.known) if since else one.late_known for one in run)
    return replace(last, known=known, late_known=late_known)


def _differing(versions: list[_Version], stands: _Version) -> tuple[int, int] | None:
    """Spans of days (after, up to) in which the versions known then differ from the version that is kept."""
    if len({(one.known, one.late_known, one.says()) for one in versions}) == 1:
        return None
    clocks = sorted({clock for one in versions for clock in (one.known, one.shown) if clock != NO_DAY})
    found = []
    for clock, following in itertools.pairwise(clocks):
        # nothing changes between two clocks, so one day is enough to check
        seen = [one for version in versions if (one := version.as_known(clock + 1)) is not None]
        then = _composite(seen).as_known(clock + 1) if seen else None
        now = stands.as_known(clock + 1)
        if (then and then.says()) != (now and now.says()):
            found.append((clock, following))
    return (found[0][0], found[-1][1]) if found else None


def _plain(values: Any, row: int) -> Any:
    return values[row].as_py() if isinstance(values, (pa.Array, pa.ChunkedArray)) else values[row]


def _union(
    columns: Columns, patient: npt.NDArray[np.int32], spans: list[Span]
) -> tuple[Columns, npt.NDArray[np.int32], int]:
    """Stays that overlap become one where nothing of it had to be known earlier than it was: the later row was known
    before the first one was known to have ended. Until both ends are known, they read as what was known of each."""
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
        clocks = [int(clock) for clock in (known[row], told[row], known[head], told[head])]
        spans.append((int(patient[row]), min(clocks), max(clocks)))
        if ends[row] > ends[head]:
            ends[head], told[head] = ends[row], max(told[row], told[head])
    kept = np.flatnonzero(~gone)
    return {name: take(values, kept) for name, values in columns.items()}, patient[kept], int(gone.sum())


def as_known(table: str, columns: Columns, day: int) -> Columns:
    """The columns with the late part of every row blank that could not be read at 00:00 of a day."""
    late, clock = LATE[table]
    hidden = columns[clock] >= day
    if table != "contacts":
        hidden |= columns[late] >= day
    names = [late, *(["close_reason"] if table == "referrals" else [])]
    blank = dict(zip(names, _BLANK[table], strict=True)) | {clock: NO_DAY}
    return {**columns, **{n: np.where(hidden, columns[n].dtype.type(v), columns[n]) for n, v in blank.items()}}


@dataclass(frozen=True)
class Contradiction:
    """A stay that later contacts contradict: its row, and from when it reads as ended. ``until`` is the day on which
    its true end became known, NO_DAY where it never did."""

    row: int
    ended_on: int
    known_on: int
    until: int


def never_closed(
    stays: Columns,
    stay_patient: npt.NDArray[np.int32],
    contacts: Mapping[str, Any],
    offsets: npt.NDArray[np.int64],
) -> Iterator[Contradiction]:
    """Stays that attended contacts contradict while no end is known (``OPEN_TOO_LONG_DAYS`` and its like). The person
    was an inpatient on every list until enough of those contacts were known, and is not after it: nothing is read
    before it was known."""
    told, open_ = stays["discharge_known_on"], stays["discharged_on"] == NO_DAY
    long_open = open_ | (told.astype(np.int64) - stays["admitted_on"] > OPEN_TOO_LONG_DAYS)
    if not long_open.any():
        return
    with_person = attended(contacts)
    for row in np.flatnonzero(long_open).tolist():
        mine = slice(int(offsets[stay_patient[row]]), int(offsets[stay_patient[row] + 1]))
        day = contacts["contact_on"][mine]
        seen = with_person[mine] & (day > stays["admitted_on"][row] + OPEN_TOO_LONG_DAYS)
        found = _first_against(day[seen].tolist(), contacts["outcome_known_on"][mine][seen].tolist())
        if found is not None and (open_[row] or found[1] < told[row]):
            yield Contradiction(row, *found, NO_DAY if open_[row] else int(told[row]))


def _first_against(days: list[int], known: list[int]) -> tuple[int, int] | None:
    """The contact that was one too many and the first day by which enough of them were known."""
    seen: list[int] = []
    for told, group in itertools.groupby(sorted(zip(known, days, strict=True)), key=lambda one: one[0]):
        for _, day in group:
            bisect.insort(seen, day)
        last = max(CONTACTS_AGAINST - 1, bisect.bisect_left(seen, seen[0] + CONTACTS_SPAN_DAYS))
        if last < len(seen):
            return seen[last], max(told, seen[last])
    return None
