"""The dated rows of the record behind a feature: what the number was read from, newest first.

The same streams, windows and clocks as the features themselves, so that no row is shown that the feature could not have read. What a row says is made of
codes and numbers only: no free text, no kind of circumstance that a feature did not ask for, no label of a diagnosis (DESIGN rule 6).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.engine import schedule
from features.engine.spec import EVER, PROTECTED_CIRCUMSTANCES, Feature, Stream, satisfying, stream
from features.engine.streams import clocks_of, rows_of
from features.records import Records
from features.records.days import NO_DAY, date_of
from features.records.tables import TABLES
from features.reference import TESTS

Rows = npt.NDArray[np.int64]

MOST = 3
"""Rows kept of one stream for one person."""

_OUTCOMES = {
    "attended": "attended",
    "did_not_attend": "missed",
    "cancelled_by_patient": "cancelled by the person",
    "cancelled_by_service": "cancelled by the service",
}


@dataclass(frozen=True)
class SourceRow:
    """One row: its table, its place among the person's own rows of that table, its day, and what it says."""

    table: str
    row: int
    on: int
    what: str

    def as_dict(self) -> dict[str, Any]:
        day = date_of(self.on)
        return {"table": self.table, "row": self.row, "on": None if day is None else day.isoformat(), "what": self.what}


@dataclass(frozen=True)
class _Reading:
    """What decides which rows are behind a feature, its window apart: many features of one stream share one."""

    stream: Stream
    clocks: tuple[str, ...]


class SourceRows:
    """Rows behind features for everybody in ``records`` at 00:00 of a day. What was found for one feature serves all that read the same rows."""

    def __init__(self, records: Records, as_of_day: int) -> None:
        self._records, self._as_of = records, as_of_day
        self._found: dict[int, Rows] = {}
        self._cut: dict[tuple[int, int], Rows] = {}
        self._seen: dict[tuple[str, str, tuple[str, ...]], npt.NDArray[np.bool_]] = {}

    def newest(self, feature: Feature) -> Rows:
        """Shape (people, MOST): positions in ``records`` of the newest rows behind a feature, newest first, -1 where there is none."""
        reading = _reading(feature)
        found = self._newest(reading)
        if feature.window == EVER or not len(found):
            return found
        key = (id(reading), feature.window)
        cut = self._cut.get(key)
        if cut is None:
            # The newest rows come first, so a window only leaves out the last of them.
            day = self._day(reading)
            inside = day[found] >= self._as_of - feature.window if len(day) else np.zeros(found.shape, bool)
            cut = self._cut[key] = np.where(inside & (found >= 0), found, -1)
        return cut

    def days(self, feature: Feature) -> npt.NDArray[np.int32]:
        """Shape (people,): the day of the newest row behind a feature, ``NO_DAY`` where there is none."""
        newest, day = self.newest(feature)[:, 0], self._day(_reading(feature))
        found = np.full(len(newest), NO_DAY, dtype=np.int32)
        some = newest >= 0
        found[some] = day[newest[some]]
        return found

    def behind(self, features: Sequence[Feature], person: int, most: int) -> list[SourceRow]:
        """At most ``most`` rows behind some features: the newest of each in the order given, then the next newest. Given newest first."""
        chosen: dict[tuple[str, int], SourceRow] = {}
        looked = set()
        for depth in range(MOST):
            for feature in features:
                newest = self.newest(feature)
                if (depth, id(newest)) in looked:
                    continue
                looked.add((depth, id(newest)))
                position = int(newest[person, depth])
                if position >= 0 and (feature.table, position) not in chosen:
                    chosen[feature.table, position] = self._row(feature, person, position)
                    if len(chosen) == most:
                        return _newest_first(chosen.values())
        return _newest_first(chosen.values())

    def ages(self, tables: Iterable[str], person: int) -> list[tuple[str, int | None]]:
        """Days since the newest known row of each table, None where there is none."""
        found: list[tuple[str, int | None]] = []
        for table in tables:
            newest = int(self._newest(_whole(table))[person, 0])
            day = None if newest < 0 else int(self._records.columns(table)[TABLES[table].event_day or ""][newest])
            found.append((table, None if day is None else self._as_of - day))
        return found

    def _newest(self, reading: _Reading) -> Rows:
        found = self._found.get(id(reading))
        if found is None:
            found = self._found[id(reading)] = self._search(reading)
        return found

    def _search(self, reading: _Reading) -> Rows:
        read = reading.stream
        table = self._records.tables[read.table]
        day = table.columns[read.day_column]
        rows = np.flatnonzero(rows_of(self._records, read) & self._visible(read.table, read.day_column, reading.clocks))
        out = np.full((len(self._records), MOST), -1, dtype=np.int64)
        if not len(rows):
            return out
        if read.day_column != table.spec.event_day:
            rows = rows[np.lexsort((day[rows], table.patient[rows]))]
        if len(out) == 1:
            last = rows[: -MOST - 1 : -1]
            out[0, : len(last)] = last
            return out
        ends = np.searchsorted(table.patient[rows], np.arange(len(out) + 1), side="left")
        place = ends[1:, None] - 1 - np.arange(MOST)
        inside = place >= ends[:-1, None]
        out[inside] = rows[place[inside]]
        return out

    def _day(self, reading: _Reading) -> npt.NDArray[np.int32]:
        day: npt.NDArray[np.int32] = self._records.columns(reading.stream.table)[reading.stream.day_column]
        return day

    def _visible(self, table: str, day_column: str, clocks: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        """Rows whose day and every clock lie before ``as_of``."""
        key = (table, day_column, clocks)
        if key not in self._seen:
            columns = self._records.columns(table)
            seen = columns[day_column] < self._as_of
            for clock in clocks:
                seen = seen & (columns[clock] < self._as_of)
            self._seen[key] = seen
        return self._seen[key]

    def _row(self, feature: Feature, person: int, position: int) -> SourceRow:
        records, table = self._records, feature.table
        columns = records.columns(table)
        read = _reading(feature).stream
        first = int(records.offsets(table)[person])
        what = _SAYS[table](_Cells(columns, table, position), read, self._as_of)
        return SourceRow(table, position - first, int(columns[read.day_column][position]), what)


@cache
def _whole(table: str) -> _Reading:
    """Every row of a table that a feature may read."""
    read = stream(table, unless={"kind": sorted(PROTECTED_CIRCUMSTANCES)} if table == "circumstances" else None)
    return _shared(_Reading(read, clocks_of(read)))


def _reading(feature: Feature) -> _Reading:
    """By identity first: comparing features takes longer than finding rows."""
    found = _READINGS.get(id(feature))
    if found is None or found[0] is not feature:
        read = _read_by(feature)
        found = _READINGS[id(feature)] = (
            feature,
            _shared(_Reading(read, clocks_of(read, feature.value))),
        )
    return found[1]


_READINGS: dict[int, tuple[Feature, _Reading]] = {}


@cache
def _shared(reading: _Reading) -> _Reading:
    """One value for all that are equal."""
    return reading


def _read_by(feature: Feature) -> Stream:
    """The rows that a feature reads: its stream, or for a schedule the results that meet it."""
    if feature.verb not in schedule.VERBS:
        return feature.stream
    asked = dict.fromkeys(schedule.items()[item].test for item in schedule.select(feature.scope, feature.tests))
    return stream("results", test=tuple(dict.fromkeys(name for test in asked for name in satisfying(test))))


@cache
def _words(table: str, name: str) -> tuple[str, ...]:
    return TABLES[table].column(name).values


def _newest_first(rows: Iterable[SourceRow]) -> list[SourceRow]:
    return sorted(rows, key=lambda row: (-row.on, row.table, row.row))


@dataclass(frozen=True)
class _Cells:
    """One row of a table, cell by cell."""

    columns: Any
    table: str
    position: int

    def word(self, name: str) -> str:
        """A code in plain words; empty where it is missing."""
        code = int(self.columns[name][self.position])
        return "" if code < 0 else _words(self.table, name)[code]

    def number(self, name: str) -> float | None:
        value = float(self.columns[name][self.position])
        return None if math.isnan(value) else value

    def day(self, name: str) -> int:
        return int(self.columns[name][self.position])


def _contact(row: _Cells, read: Stream, as_of: int) -> str:
    kind = row.word("kind").replace("_", " ") or "contact"
    known = row.day("outcome_known_on") < as_of
    outcome = _OUTCOMES.get(row.word("outcome"), "") if known else ""
    return f"{kind if kind.endswith('contact') else f'{kind} contact'}{f', {outcome}' if outcome else ''}"


def _supply(row: _Cells, read: Stream, as_of: int) -> str:
    days = row.number("days_supplied")
    kind = row.word("kind") or "supplied"
    return f"{row.word('medicine')} {kind}{f', {days:.0f} days' if days else ''}"


def _result(row: _Cells, read: Stream, as_of: int) -> str:
    test = TESTS[row.word("test")]
    value = row.number("value")
    said = " done" if value is None else f" {value:.4g}{f' {test.unit}' if test.unit not in ('', '1') else ''}"
    return f"{test.label or test.name.replace('_', ' ')}{said}"


def _stay(row: _Cells, read: Stream, as_of: int) -> str:
    if read.on == "discharged_on":
        return "left hospital"
    method = row.word("method")
    return f"went into hospital{f', {method}' if method in ('emergency', 'planned', 'transfer') else ''}"


def _referral(row: _Cells, read: Stream, as_of: int) -> str:
    return "referral closed" if read.on == "closed_on" else "referral opened"


def _condition(row: _Cells, read: Stream, as_of: int) -> str:
    return f"{row.word('category').replace('_', ' ')} recorded"


def _circumstance(row: _Cells, read: Stream, as_of: int) -> str:
    kinds = dict(read.where).get("kind", ())
    return f"{' or '.join(kinds).replace('_', ' ')} recorded" if kinds else "a circumstance recorded"


_SAYS = {
    "contacts": _contact,
    "supplies": _supply,
    "results": _result,
    "stays": _stay,
    "referrals": _referral,
    "conditions": _condition,
    "circumstances": _circumstance,
}
