"""The dated rows of the record that a feature was computed from, newest first.

It uses the streams, windows and clocks of the features, so it shows no row that the feature could not have read. The
description of a row holds only codes and numbers: no free text, no kind of circumstance that the feature does not
read, no label of a diagnosis (docs/architecture.md rule 6).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise, repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.engine.booking_walks import made_on
from features.engine.events import Group, clocks_of, events_of
from features.engine.plan_cache import ByFeatures
from features.engine.stream_masks import MAX_STREAMS, Membership
from features.kernels.lookups import newest_rows, rows_behind
from features.medicines import supply_days
from features.monitoring import due_dates
from features.monitoring.schedule_features import VERBS
from features.records import Records
from features.records.days import NO_DAY, date_of
from features.records.tables import TABLES
from features.reference import TESTS
from features.spec import BOOKING_VERBS, PROTECTED_CIRCUMSTANCES, Feature, Stream, satisfying, stream

Rows = npt.NDArray[np.int64]
Columns = Mapping[str, Any]

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


class RowsBehind(NamedTuple):
    """The rows behind some lists of features, newest first: how many each list has, and of each the reading, the
    position in its table and the day, shape (lists, most). ``tables`` are those of the features, by their place in
    ``SourceRows.tables``, largest weight first, -1 where there are no more."""

    person: Rows
    number: Rows
    reading: Rows
    position: Rows
    day: Rows
    tables: Rows


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
    """The tables of the features, in order of name."""
    table: Rows
    """The place of each reading's table among them."""
    of_feature: Rows
    """The reading of each feature."""
    window: Rows
    whole: Rows
    """For each table, the reading of every row that a feature may read."""
    wording: Rows
    """A number for each reading: readings of one number say the same of a row, and date it by the same column."""


def _plan(features: tuple[Feature, ...]) -> _ReadingPlan:
    mine = [_Reading(read := _read_by(feature), clocks_of(read, feature.value)) for feature in features]
    whole = {table: _whole(table) for table in dict.fromkeys(feature.table for feature in features)}
    place = {reading: i for i, reading in enumerate(dict.fromkeys((*mine, *whole.values())))}
    tables, wordings = sorted(whole), dict[Hashable, int]()
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
        tuple(tables),
        np.array([tables.index(reading.stream.table) for reading in place], np.int64),
        np.array([place[reading] for reading in mine], np.int64),
        np.array([feature.window or 2**30 for feature in features], np.int64),
        np.array([place[whole[table]] for table in tables], np.int64),
        np.array([wordings.setdefault(_worded_by(reading.stream), len(wordings)) for reading in place], np.int64),
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

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the features, in order of name."""
        return self._plan.tables

    def behind(
        self, person: Rows, line: Rows, asked: Rows, weight: npt.NDArray[np.float64], lists: Sequence[Rows], most: int
    ) -> RowsBehind:
        """At most ``most`` rows behind each of some lists of features: those at ``lists[asked[i]]`` for ``person[i]``,
        whose features count as much as ``weight[line[i]]`` (lines, features) says. First the newest row of each
        feature, largest weight first, then the next newest. A feature without weight is left out.
        """
        plan, ends = self._plan, np.cumsum([0, *map(len, lists)])
        members, first = np.concatenate([*lists, np.zeros(0, np.int64)]), self._as_of - plan.window
        read = plan.of_feature, first, plan.table
        return RowsBehind(
            person, *rows_behind(person, line, asked, weight, ends, members, *read, self._row, self._on, most)
        )

    def ages(self, found: RowsBehind) -> npt.NDArray[np.int64]:
        """Days since the newest known row of each of ``found.tables``, -1 if there is none."""
        newest = self._on[found.person[:, None], self._plan.whole[found.tables], 0]
        return np.where(newest == NO_DAY, -1, self._as_of - newest)

    def described(self, found: RowsBehind) -> list[SourceRow]:
        """The rows of one list after the other. A row that is behind several is described once."""
        some = np.arange(found.reading.shape[1]) < found.number[:, None]
        reading, position, day = found.reading[some], found.position[some], found.day[some]
        person = np.repeat(found.person, found.number)
        key = self._plan.wording[reading] * (position.max(initial=0) + 1) + position
        _, newest, place = np.unique(key, return_index=True, return_inverse=True)
        described: list[SourceRow] = []
        reading, position, day, person = reading[newest], position[newest], day[newest], person[newest]
        wording = self._plan.wording[reading]
        begins = np.flatnonzero(np.diff(wording, prepend=-1)).tolist()
        for low, high in pairwise([*begins, len(wording)]):
            read, at = self._plan.readings[reading[low]].stream, position[low:high]
            first = self._records.offsets(read.table)[person[low:high]]
            words = _SAYS[read.table](self, self._records.columns(read.table), read, at)
            described += map(SourceRow, repeat(read.table), (at - first).tolist(), day[low:high].tolist(), words)
        return [described[one] for one in place.tolist()]

    def assumed(self, positions: Rows) -> list[str]:
        """Of some supplies the words for a length that is not recorded; empty for any other."""
        silent, injection, length = (part[positions].tolist() for part in self._supply_lengths)
        return [
            supply_days.assumption(given, days) if unsaid else ""
            for unsaid, given, days in zip(silent, injection, length, strict=True)
        ]

    @property
    def as_of(self) -> int:
        return self._as_of

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


def _word(table: str, name: str, code: int) -> str:
    """A code in plain words; empty if it is missing."""
    return "" if code < 0 else _words(table, name)[code]


def _contacts(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    known = (columns["outcome_known_on"][at] < source.as_of).tolist()
    kind, outcome, booked = (columns[name][at].tolist() for name in ("kind", "outcome", "contact_on"))
    return map(_contact, kind, outcome, known, repeat(None) if read.day_column == "contact_on" else booked)


@lru_cache(maxsize=8_192)
def _contact(kind: int, outcome: int, known: bool, booked: int | None) -> str:
    word = _word("contacts", "kind", kind).replace("_", " ") or "contact"
    ended = _OUTCOMES.get(_word("contacts", "outcome", outcome), "") if known else ""
    name = word if word.endswith("contact") else f"{word} contact"
    return f"{name}{'' if booked is None else f' booked for {date_of(booked)}'}{f', {ended}' if ended else ''}"


def _supplies(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    medicine, kind = (columns[name][at].tolist() for name in ("medicine", "kind"))
    return map(_supply, medicine, kind, _numbers(columns["days_supplied"][at]), source.assumed(at))


@lru_cache(maxsize=8_192)
def _supply(medicine: int, kind: int, days: float | None, assumed: str) -> str:
    word = _word("supplies", "kind", kind) or "supplied"
    name = _word("supplies", "medicine", medicine)
    return f"{name} {word}{f', {days:.0f} days' if days else ''}{assumed and f', {assumed}'}"


def _results(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    test, comparator = (columns[name][at].tolist() for name in ("test", "comparator"))
    return map(_result, test, _numbers(columns["value"][at]), comparator)


@lru_cache(maxsize=65_536)
def _result(code: int, value: float | None, comparator: int) -> str:
    test = TESTS[_word("results", "test", code)]
    unit = f" {test.unit}" if test.unit not in ("", "1") else ""
    said = " done" if value is None else f" {_word('results', 'comparator', comparator)}{value:.4g}{unit}"
    return f"{test.label or test.name.replace('_', ' ')}{said}"


def _stays(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    if read.on == "discharged_on":
        return repeat("left hospital", len(at))
    return [_stay(_word("stays", "method", code)) for code in columns["method"][at].tolist()]


def _stay(method: str) -> str:
    return f"went into hospital{f', {method}' if method in ('emergency', 'planned', 'transfer') else ''}"


def _referrals(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    return repeat("referral closed" if read.on == "closed_on" else "referral opened", len(at))


def _conditions(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    words = (_word("conditions", "category", code) for code in columns["category"][at].tolist())
    return [f"{word.replace('_', ' ')} recorded" for word in words]


def _circumstances(source: SourceRows, columns: Columns, read: Stream, at: Rows) -> Iterable[str]:
    kinds = dict(read.where).get("kind", ())
    said = f"{' or '.join(kinds).replace('_', ' ')} recorded" if kinds else "a circumstance recorded"
    return repeat(said, len(at))


def _numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Numbers as plain values, None where there is none."""
    return [None if value != value else value for value in values.tolist()]


_SAYS: dict[str, Callable[[SourceRows, Columns, Stream, Rows], Iterable[str]]] = {
    "contacts": _contacts,
    "supplies": _supplies,
    "results": _results,
    "stays": _stays,
    "referrals": _referrals,
    "conditions": _conditions,
    "circumstances": _circumstances,
}
"""The words of some rows of a table, by their positions in it."""
