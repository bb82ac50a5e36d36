"""The dated rows of the record that a feature was computed from, newest first.

It uses the streams, windows and clocks of the features, so it shows no row that the feature could not have read. The
description of a row holds only codes and numbers: no free text, no kind of circumstance that the feature does not
read, no label of a diagnosis (docs/architecture.md rule 6).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.engine.booking_walks import made_on
from features.engine.events import Group, clocks_of, events_of
from features.engine.plan_cache import ByFeatures
from features.engine.stream_masks import MAX_STREAMS, Membership
from features.kernels.lookups import newest_rows
from features.medicines import supply_days
from features.monitoring import due_dates
from features.monitoring.schedule_features import VERBS
from features.records import Records
from features.records.days import NO_DAY, date_of
from features.records.tables import TABLES
from features.reference import TESTS
from features.spec import BOOKING_VERBS, PROTECTED_CIRCUMSTANCES, Feature, Stream, satisfying, stream

Rows = npt.NDArray[np.int64]

MOST = 3
"""Number of rows kept per stream and person."""

_OUTCOMES = {
    "attended": "attended",
    "did_not_attend": "missed",
    "cancelled_by_patient": "cancelled by the person",
    "cancelled_by_service": "cancelled by the service",
}


class SourceRow(NamedTuple):
    """One row: its table, its position among the person's rows of that table, its day, and its description."""

    table: str
    row: int
    on: int
    what: str

    def as_dict(self) -> dict[str, Any]:
        return {"table": self.table, "row": self.row, "on": iso_day(self.on), "what": self.what}


@dataclass(frozen=True)
class OfPerson:
    """The newest rows of one person, then the next newest, and so on: of each reading the position in its table (-1 if
    none) and the day."""

    person: int
    rows: list[list[int]]
    days: list[list[int]]
    said: dict[tuple[int, int], SourceRow] = field(default_factory=dict)
    """The rows described so far, by the wording of their reading and their position: most are evidence for several
    concepts."""


@dataclass(frozen=True)
class _Reading:
    """Everything except the window that decides which rows are behind a feature. Many features of one stream share a
    reading.
    """

    stream: Stream
    clocks: tuple[str, ...]


@dataclass(frozen=True)
class _ReadingPlan:
    """The readings behind a list of features, independent of records, in groups that one walk of the events finds
    together.
    """

    features: tuple[Feature, ...]
    readings: tuple[_Reading, ...]
    groups: tuple[tuple[Group, Membership, Rows], ...]
    """Each with the places of its streams among the readings."""
    tables: tuple[str, ...]
    """The table of each feature."""
    of_feature: Rows
    """The reading of each feature."""
    window: Rows
    whole: dict[str, int]
    """For each table, the reading of every row that a feature may read."""
    wording: tuple[int, ...]
    """A number for each reading: readings of one number say the same of a row, and date it by the same column."""


def _plan(features: tuple[Feature, ...]) -> _ReadingPlan:
    mine = [_Reading(read := _read_by(feature), clocks_of(read, feature.value)) for feature in features]
    whole = {table: _whole(table) for table in dict.fromkeys(feature.table for feature in features)}
    place = {reading: i for i, reading in enumerate(dict.fromkeys((*mine, *whole.values())))}
    wordings: dict[Hashable, int] = {}
    groups: dict[Group, list[_Reading]] = {}
    for reading in place:
        group = Group(reading.stream.table, reading.stream.day_column, reading.clocks, "", "")
        groups.setdefault(group, []).append(reading)
    return _ReadingPlan(
        features,
        tuple(place),
        tuple(
            (group, Membership.of([r.stream for r in part]), np.array([place[r] for r in part]))
            for group, members in groups.items()
            for part in (members[first : first + MAX_STREAMS] for first in range(0, len(members), MAX_STREAMS))
        ),
        tuple(feature.table for feature in features),
        np.array([place[reading] for reading in mine], np.int64),
        np.array([feature.window or 2**30 for feature in features], np.int64),
        {table: place[reading] for table, reading in whole.items()},
        tuple(wordings.setdefault(_worded_by(reading.stream), len(wordings)) for reading in place),
    )


def _worded_by(read: Stream) -> Hashable:
    """What the words and the day of a row depend on besides the row (``_SAYS``)."""
    return read.table, read.on, dict(read.where).get("kind") if read.table == "circumstances" else None


_PLANS = ByFeatures(_plan)


class SourceRows:
    """Rows behind each of ``features`` for everybody in ``records`` at 00:00 of a day. Features are given by position
    in the list.
    """

    def __init__(self, records: Records, as_of_day: int, features: Sequence[Feature]) -> None:
        records = records.as_known(as_of_day)
        self._records, self._as_of, self._plan = records, as_of_day, _PLANS.of(features)
        shape = (len(records), len(self._plan.readings), MOST)
        self._row, self._on = np.full(shape, -1, np.int64), np.full(shape, NO_DAY, np.int32)
        for group, members, places in self._plan.groups:
            if not len(records.tables[group.table].patient):
                continue
            events = events_of(records, group, members)
            newest_rows(
                events.offsets,
                events.day,
                events.known,
                events.until,
                events.bits,
                as_of_day,
                places,
                self._row,
                self._on,
            )
            if events.rows is not None and len(events.rows):
                # Turn positions among the events into positions in the table.
                found = self._row[:, places]
                self._row[:, places] = np.where(found < 0, -1, events.rows[found])

    @cached_property
    def days(self) -> npt.NDArray[np.int32]:
        """Shape (people, features): the day of the newest row behind each feature, ``NO_DAY`` if there is none."""
        newest = self._on[:, self._plan.of_feature, 0]
        return np.where(newest >= self._as_of - self._plan.window, newest, np.int32(NO_DAY))

    def of(self, person: int) -> OfPerson:
        """The newest rows of one person, for queries about many concepts."""
        return OfPerson(person, self._row[person].T.tolist(), self._on[person].T.tolist())

    def behind(self, chosen: Sequence[int], newest: OfPerson, most: int) -> list[SourceRow]:
        """At most ``most`` rows behind some features: the newest of each in the given order, then the next newest.
        Returned newest first.
        """
        person, rows, days, (reading, first) = newest.person, newest.rows, newest.days, self._reach
        found: dict[tuple[str, int], SourceRow] = {}
        tables, wording, described = self._plan.tables, self._plan.wording, newest.said
        for at, on in zip(rows, days, strict=True):
            for feature in chosen:
                read = reading[feature]
                # The newest rows come first, so a window only cuts off the end.
                position, day = at[read], on[read]
                if position < 0 or day < first[feature] or (tables[feature], position) in found:
                    continue
                key = wording[read], position
                said = described.get(key)
                if said is None:
                    said = described[key] = self._said(read, person, position, day)
                found[tables[feature], position] = said
                if len(found) == most:
                    return _newest_first(found.values())
        return _newest_first(found.values())

    @cached_property
    def _reach(self) -> tuple[list[int], list[int]]:
        """The reading of each feature, and the first day of its window."""
        return self._plan.of_feature.tolist(), (self._as_of - self._plan.window).tolist()

    def ages(self, tables: Iterable[str], newest: OfPerson) -> list[tuple[str, int | None]]:
        """Days since the newest known row of each table, None if there is none."""
        days = {table: newest.days[0][self._plan.whole[table]] for table in tables}
        return [(table, None if day == NO_DAY else self._as_of - day) for table, day in days.items()]

    def _said(self, reading: int, person: int, position: int, day: int) -> SourceRow:
        read = self._plan.readings[reading].stream
        assumed = self._assumed(position) if read.table == "supplies" else ""
        cells = _Cells(self._records.columns(read.table), read.table, position, assumed)
        first = int(self._records.offsets(read.table)[person])
        return SourceRow(read.table, position - first, day, _SAYS[read.table](cells, read, self._as_of))

    def _assumed(self, position: int) -> str:
        """The words of a supply whose length is not recorded; empty for any other."""
        silent, injection, length = self._supply_lengths
        return supply_days.assumption(bool(injection[position]), int(length[position])) if silent[position] else ""

    @cached_property
    def _supply_lengths(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        records = self._records
        return supply_days.days_assumed(records), supply_days.is_injection(records), supply_days.lengths_of(records)


def _whole(table: str) -> _Reading:
    """Every row of a table that a feature may read."""
    read = stream(table, unless={"kind": sorted(PROTECTED_CIRCUMSTANCES)} if table == "circumstances" else None)
    return _Reading(read, clocks_of(read))


def _read_by(feature: Feature) -> Stream:
    """The rows that a feature reads: its stream or, for a schedule, the results that satisfy it. Bookings are dated by
    the day they were made, as their appointment may lie ahead."""
    if feature.verb in BOOKING_VERBS:
        return made_on(feature.stream)
    if feature.verb not in VERBS:
        return feature.stream
    asked = dict.fromkeys(due_dates.items()[item].test for item in due_dates.select(feature.scope, feature.tests))
    return stream("results", test=tuple(dict.fromkeys(name for test in asked for name in satisfying(test))))


@cache
def _words(table: str, name: str) -> tuple[str, ...]:
    return TABLES[table].column(name).values


@lru_cache(maxsize=4_096)
def iso_day(day: int) -> str | None:
    """The date of a day number as ISO text, None for a missing day."""
    found = date_of(day)
    return None if found is None else found.isoformat()


def _newest_first(rows: Iterable[SourceRow]) -> list[SourceRow]:
    return sorted(rows, key=lambda row: (-row.on, row.table, row.row))


class _Cells(NamedTuple):
    """One row of a table, cell by cell."""

    columns: Any
    table: str
    position: int
    assumed: str = ""
    """Of a supply, the words for a length that is not recorded."""

    def word(self, name: str) -> str:
        """A code in plain words; empty if it is missing."""
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
    name = kind if kind.endswith("contact") else f"{kind} contact"
    booked = f" booked for {date_of(row.day('contact_on'))}" if read.day_column != "contact_on" else ""
    return f"{name}{booked}{f', {outcome}' if outcome else ''}"


def _supply(row: _Cells, read: Stream, as_of: int) -> str:
    days = row.number("days_supplied")
    kind = row.word("kind") or "supplied"
    return f"{row.word('medicine')} {kind}{f', {days:.0f} days' if days else ''}{row.assumed and f', {row.assumed}'}"


def _result(row: _Cells, read: Stream, as_of: int) -> str:
    test = TESTS[row.word("test")]
    value = row.number("value")
    unit = f" {test.unit}" if test.unit not in ("", "1") else ""
    said = " done" if value is None else f" {row.word('comparator')}{value:.4g}{unit}"
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
