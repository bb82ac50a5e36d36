"""Values that were recorded but not understood, by person. They stay with the records, so that no page, gap or run
says "not recorded" or "no" about a recorded value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.records.days import NO_DAY, Days, date_of, to_datetime64
from features.records.reading.deaths import CLOSED_BY_DEATH, FAR_AHEAD, says_no_death

COLUMNS = ("patient_id", "table", "column", "value", "concept", "on", "known_on", "reason")
SCHEMA = pa.schema(
    [(name, pa.date32() if name in ("on", "known_on") else pa.string()) for name in COLUMNS],
)


@dataclass(frozen=True)
class UnreadValue:
    """One value of a person that was not understood.

    ``concept`` names what the row is about in our own words (the test, the kind of circumstance, the medicine), where
    that could be read. ``value`` is the word as written, or what kind of value it was where the word itself says
    nothing. ``on`` and ``known_on`` are the row's two clocks, None where they could not be read.
    """

    table: str
    column: str
    value: str
    concept: str
    on: dt.date | None
    known_on: dt.date | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Unread:
    """Values that were not understood, sorted by person. ``patient`` (int32) is the place in ``Records.patient_ids``;
    ``on`` and ``known_on`` are day numbers; ``words`` holds table, column, value, concept and reason of each."""

    patient: npt.NDArray[np.int32]
    on: Days
    known_on: Days
    words: tuple[tuple[str, str, str, str, str], ...]

    @classmethod
    def none(cls) -> Unread:
        nothing = np.zeros(0, np.int32)
        return cls(nothing, nothing, nothing, ())

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int, tuple[str, str, str, str, str]]]) -> Unread:
        """From (place of the person, day, known day, words), each kept once."""
        if not rows:
            return cls.none()
        ordered = sorted(dict.fromkeys(rows))
        place, on, known = (np.array([row[i] for row in ordered], np.int32) for i in range(3))
        return cls(place, on, known, tuple(row[3] for row in ordered))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def undated_deaths(self) -> Unread:
        """The values that say that somebody died, and not on which day."""
        rows = [
            row
            for row, (table, column, value, _, reason) in enumerate(self.words)
            if (
                (table, column) == ("patients", "died_on")
                and not says_no_death(value)
                and not reason.startswith(FAR_AHEAD)
            )
            or reason.startswith(CLOSED_BY_DEATH)
        ]
        return self.take(np.array(rows, np.int64))

    def rows(self) -> list[tuple[int, int, int, tuple[str, str, str, str, str]]]:
        return list(zip(self.patient.tolist(), self.on.tolist(), self.known_on.tolist(), self.words, strict=True))

    def of_person(self, place: int, as_of: int | None = None) -> list[UnreadValue]:
        """Values of the person at ``place``; with ``as_of`` (a day number) only those known before it. A value
        whose row has no readable day is always shown.
        """
        first, last = np.searchsorted(self.patient, np.array([place, place + 1], np.int32))
        part = slice(first, last)
        rows = zip(self.on[part].tolist(), self.known_on[part].tolist(), self.words[part], strict=True)
        return [
            UnreadValue(table, column, value, concept, date_of(on), date_of(known), reason)
            for on, known, (table, column, value, concept, reason) in rows
            if as_of is None or (_before(on, as_of) and _before(known, as_of))
        ]

    def take(self, rows: slice | npt.NDArray[np.int64]) -> Unread:
        words = self.words[rows] if isinstance(rows, slice) else tuple(self.words[i] for i in rows.tolist())
        return Unread(self.patient[rows], self.on[rows], self.known_on[rows], words)

    def at(self, places: npt.NDArray[np.int64]) -> Unread:
        """Those of the people at ascending ``places``, who become 0, 1, 2, ..."""
        if not len(self):
            return self
        new = np.searchsorted(places, self.patient)
        mine = np.flatnonzero(places[np.minimum(new, len(places) - 1)] == self.patient) if len(places) else new[:0]
        found = self.take(mine.astype(np.int64))
        return Unread(new[mine].astype(np.int32), found.on, found.known_on, found.words)

    def between(self, first: int, last: int) -> Unread:
        """Those of the people at ``first`` up to ``last``."""
        begin, end = np.searchsorted(self.patient, [first, last])
        found = self.take(slice(int(begin), int(end)))
        return Unread(found.patient - np.int32(first), found.on, found.known_on, found.words)

    def before(self, as_of: int) -> Unread:
        """The values known before a day (a day number), which a run as of that day may show."""
        kept = ((self.on < as_of) | (self.on == NO_DAY)) & ((self.known_on < as_of) | (self.known_on == NO_DAY))
        return self.take(np.flatnonzero(kept))

    def merged(self, other: Unread) -> Unread:
        """The union of both, each value once."""
        return self if not len(other) else Unread.of([*self.rows(), *other.rows()])

    def to_pandas(self, patient_ids: npt.NDArray[np.object_]) -> pd.DataFrame:
        """One row a value: patient_id, table, column, value, concept, on, known_on, reason."""
        words = list(zip(*self.words, strict=True)) or [()] * 5
        names = ("table", "column", "value", "concept", "reason")
        told = {name: pd.Series(list(values), dtype="str") for name, values in zip(names, words, strict=True)}
        told["patient_id"] = pd.Series([patient_ids[i] for i in self.patient.tolist()], dtype="str")
        told["on"], told["known_on"] = pd.Series(to_datetime64(self.on)), pd.Series(to_datetime64(self.known_on))
        return pd.DataFrame({name: told[name] for name in COLUMNS})


def _before(day: int, as_of: int) -> bool:
    return day < as_of or day == NO_DAY


def from_table(table: pa.Table, places: dict[str, int]) -> Unread:
    """The values stored beside the tables, for the people at ``places``. Values of other people are left out."""
    rows = []
    for row in table.to_pylist():
        place = places.get(row["patient_id"])
        if place is not None:
            on, known = (NO_DAY if row[name] is None else _day_number(row[name]) for name in ("on", "known_on"))
            table, column, value, concept, reason = (row[name] or "" for name in (*COLUMNS[1:5], "reason"))
            rows.append((place, on, known, (table, column, value, concept, reason)))
    return Unread.of(rows)


def _day_number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def to_table(unread: Unread, patient_ids: npt.NDArray[np.object_]) -> pa.Table:
    """As stored beside the tables."""
    rows = [
        {
            "patient_id": patient_ids[place],
            "on": date_of(on),
            "known_on": date_of(known),
            **dict(zip(("table", "column", "value", "concept", "reason"), words, strict=True)),
        }
        for place, on, known, words in unread.rows()
    ]
    return pa.Table.from_pylist(rows, SCHEMA)
