"""Which streams each row of a table belongs to, computed for all streams at once: one lookup per column, one bit
per stream.

A stream's condition on a column depends only on the column's value. So each value has one word whose bits say which
streams allow it, and a row belongs to the streams that all its columns allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.jit import jit
from features.records import Records
from features.records.days import NO_DAY
from features.records.kernels import holds
from features.records.tables import TABLES
from features.spec import Stream

MAX_STREAMS = 64
Bits = npt.NDArray[np.unsignedinteger[Any]]

LONG = 10_000
"""From this number of rows on, finding the smallest and largest code costs little compared with a lookup of every
row.
"""
_ANOTHER = "\0"
"""Stands for every word that no stream names."""


@dataclass(frozen=True)
class Membership:
    """Up to ``MAX_STREAMS`` streams of one table, independent of records. Make one with ``Membership.of``."""

    table: str
    streams: tuple[Stream, ...]
    kind: type[np.unsignedinteger[Any]]
    """The type of a row's word."""
    codes: tuple[tuple[str, Bits], ...]
    """For columns of codes or flags: which streams allow each code. The last position, read by a missing code (-1),
    holds the streams that allow a missing value.
    """
    texts: tuple[tuple[str, dict[str | None, int]], ...]
    """For columns of text: the same by word, with ``_ANOTHER`` for all other words."""
    given: tuple[tuple[str, np.unsignedinteger[Any]], ...]
    """For columns of days or numbers: which streams allow a missing value."""
    limited: npt.NDArray[np.int64]
    """Positions of the streams that keep results outside limits; NaN in ``low`` or ``high`` means no limit on that
    side.
    """
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @property
    def every(self) -> int:
        """The word of a row that belongs to all streams."""
        return (1 << len(self.streams)) - 1

    @classmethod
    def of(cls, streams: Sequence[Stream]) -> Membership:
        table = streams[0].table
        names = dict.fromkeys(name for stream in streams for name in _columns_asked(stream))
        # Of a single stream without limits a word is one byte, because nobody reads more of it.
        single = len(streams) == 1 and streams[0].outside is None
        kind: type[np.unsignedinteger[Any]] = np.uint8 if single else np.uint64
        codes, texts, given = [], [], []
        for name in names:
            column = TABLES[table].column(name)
            if column.kind in ("code", "flag"):
                values = ("false", "true") if column.kind == "flag" else column.values
                codes.append((name, np.array([_allowing(streams, name, value) for value in (*values, None)], kind)))
            elif column.kind in ("id", "text"):
                said = dict.fromkeys(value for stream in streams for value in _named(stream, name))
                words = (*said, _ANOTHER, None)
                texts.append((name, {word: _allowing(streams, name, word) for word in words}))
            elif not (column.required and column.kind == "date"):  # a row without its day was set aside
                given.append((name, kind(_allowing(streams, name, None))))
        limits = [(place, *stream.outside) for place, stream in enumerate(streams) if stream.outside is not None]
        limited, low, high = zip(*limits, strict=True) if limits else ((), (), ())
        return cls(
            table,
            tuple(streams),
            kind,
            tuple(codes),
            tuple(texts),
            tuple(given),
            np.array(limited, np.int64),
            np.array(low, np.float64),
            np.array(high, np.float64),
        )

    def bits(self, records: Records) -> Bits:
        """One word per row of the table, in its order."""
        columns = records.columns(self.table)
        rows = len(columns["known_on"])
        found: Bits | None = None
        for name, words in self.codes:
            codes = columns[name]
            # A long table may hold one value in every row (the results of one test); then no lookup row by row is
            # needed.
            alike = rows > LONG and codes.min() == codes.max()
            if found is None and not alike:
                found = words[codes]
                continue
            if found is None:
                found = np.full(rows, self.every, self.kind)
            found &= words[codes[0] if alike else codes]
        if found is None:
            found = np.full(rows, self.every, self.kind)
        for name, by_word in self.texts:
            place, seen = records.words(self.table, name)
            another = by_word[_ANOTHER]
            found &= np.array([*(by_word.get(word, another) for word in seen), by_word[None]], self.kind)[place]
        for name, missing in self.given:
            values = columns[name]
            number = values.dtype.kind == "f"
            if number or holds(values, NO_DAY):
                found[np.isnan(values) if number else values == NO_DAY] &= missing
        if len(self.limited):
            _outside(columns["value"], self.limited, self.low, self.high, found)
        return found


def _columns_asked(stream: Stream) -> Iterable[str]:
    yield stream.day_column
    yield from (name for name, _ in (*stream.where, *stream.unless))
    yield from stream.given


def _named(stream: Stream, column: str) -> Iterable[str]:
    return (value for name, values in (*stream.where, *stream.unless) if name == column for value in values)


def _allowing(streams: Sequence[Stream], column: str, value: str | None) -> int:
    """One bit for each stream that allows ``value`` (None: nothing recorded) in ``column``."""
    return sum(1 << place for place, stream in enumerate(streams) if _allows(stream, column, value))


def _allows(stream: Stream, column: str, value: str | None) -> bool:
    if value is None and (column in stream.given or column == stream.day_column):
        return False
    wanted = all(value in values for name, values in stream.where if name == column)
    return wanted and not any(value in values for name, values in stream.unless if name == column)


@jit(_nrt=False)
def _outside(value, limited, low, high, bits):  # type: ignore[no-untyped-def]
    """Clears the bits of streams whose limits a value lies within, or that have limits when there is no value."""
    for k in range(limited.shape[0]):
        without = ~(np.uint64(1) << np.uint64(limited[k]))
        for i in range(value.shape[0]):
            if not (value[i] < low[k] or value[i] >= high[k]):
                bits[i] &= without
