"""The one reader of dates: text, numbers and timestamps of every source become whole days of Europe/London.

A time with an offset is an instant, and its day is the day it was in London: midnight of 15 July in London is
``2025-07-14T23:00Z``. A time without an offset is taken as London time. A text that could mean two days (03/04/2025,
a two-digit year, a spreadsheet's day number) is not a date: the reader never guesses.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY, Days, day_of, from_datetimes
from features.records.reading.ids import clean_id

LONDON = ZoneInfo("Europe/London")
NULL_WORDS = frozenset(
    ("", "null", "(null)", "<null>", "none", "nan", "nat", "n/a", "na", "#n/a", "<na>", r"\n", "nil", "-", "--", ".")
)
"""Ways of writing that there is no value, in lower case. Not for text, where "none" is an answer."""
NOT_A_DATE = (
    "not a date; write YYYY-MM-DD (day/month/year, a two-digit year and a spreadsheet's day number are not guessed at)"
)

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_NAMED_MONTH = re.compile(r"(\d{1,2})[ /-]([a-z]{3})[a-z]*\.?[ /-](\d{4})", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE_NAME = re.compile(r"\s*\[[^\]]*\]$")
_SPACED_OFFSET = re.compile(r"\s+([+-]\d{2}:?\d{0,2})$")


class ReadDay(NamedTuple):
    """A day number (``NO_DAY`` for an empty value, None for a value that is not a date), and whether it came with an
    offset.
    """

    day: int | None
    zoned: bool = False


class ReadDays(NamedTuple):
    """Day numbers of a column, a mask of values that are not dates, and the number of values with an offset."""

    days: Days
    unread: npt.NDArray[np.bool_] | None
    zoned: int


def london_day(moment: dt.datetime) -> int:
    """The day of a moment: in London where it has an offset, as written where it has none."""
    return day_of(moment.astimezone(LONDON) if moment.tzinfo else moment)


MOST_DAYS_KEPT = 16_384


@lru_cache(maxsize=MOST_DAYS_KEPT)
def read_day(value: Any) -> ReadDay:
    """One value as a day. A request or an extract holds the same days over and over, so the answer is kept."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return ReadDay(NO_DAY)
    if isinstance(value, dt.datetime):
        return ReadDay(london_day(value), value.tzinfo is not None)
    if isinstance(value, dt.date):
        return ReadDay(day_of(value))
    if isinstance(value, bool):
        return ReadDay(None)
    if isinstance(value, (int, float)):
        return _read_text(str(int(value))) if abs(value) < math.inf and value == int(value) else ReadDay(None)
    return _read_text(value) if isinstance(value, str) else ReadDay(None)


def _read_text(text: str) -> ReadDay:
    text = clean_id(text)
    if text.casefold() in NULL_WORDS:
        return ReadDay(NO_DAY)
    try:
        return _by_shape(text)
    except (ValueError, OverflowError):
        return ReadDay(None)


def _by_shape(text: str) -> ReadDay:
    if found := _YEAR_FIRST.fullmatch(text):
        return ReadDay(day_of(dt.date(*map(int, found.groups()))))
    if len(text) == 8 and text.isdecimal():
        return ReadDay(day_of(dt.datetime.strptime(text, "%Y%m%d"))) if "1800" <= text[:4] <= "9999" else ReadDay(None)
    if found := _NAMED_MONTH.fullmatch(text.casefold()):
        return ReadDay(day_of(dt.date(int(found[3]), _MONTHS.index(found[2]) + 1, int(found[1]))))
    if len(text) <= 10:
        return ReadDay(None)
    text = _SPACED_OFFSET.sub(r"\1", _ZONE_NAME.sub("", text))
    for name, offset in ((" UTC", "Z"), (" GMT", "Z"), (" BST", "+01:00"), (" Z", "Z")):
        text = text.removesuffix(name) + offset if text.upper().endswith(name) else text
    moment = dt.datetime.fromisoformat(text)
    return ReadDay(london_day(moment), moment.tzinfo is not None)


def read_days(values: pd.Series, text: Any) -> ReadDays:
    """A pandas column as days. ``text`` gives the column as Arrow text where it is not made of dates."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        zone = getattr(values.dtype, "tz", None)
        if zone is not None:
            values = values.dt.tz_convert(LONDON).dt.tz_localize(None)
        days, missing = from_datetimes(values)
        return ReadDays(days, None, 0 if zone is None else int((~missing).sum()))
    encoded = text(values).dictionary_encode()
    read = [read_day(word) for word in encoded.dictionary.to_pylist()]
    position = np.asarray(encoded.indices.fill_null(len(read)).to_numpy(zero_copy_only=False))
    days = np.array([NO_DAY if one.day is None else one.day for one in read] + [NO_DAY], dtype=np.int64)
    unread = np.array([one.day is None for one in read] + [False])[position]
    zoned = np.array([one.zoned for one in read] + [False])[position]
    return ReadDays(np.clip(days, -(2**30), NO_DAY)[position].astype(np.int32), unread, int(zoned.sum()))


class _NotPlain(Exception):
    """A value that is no day, or a time with an offset."""


class _PlainDays(dict[Any, int]):
    """Day numbers of the values read before that need nothing said about them."""

    def __missing__(self, value: Any) -> int:
        read = read_day(value)
        if read.day is None or read.zoned:
            raise _NotPlain
        if len(self) >= MOST_DAYS_KEPT:
            self.clear()
        self[value] = read.day
        return read.day


_PLAIN_DAYS = _PlainDays()


def read_day_list(values: Any) -> ReadDays:
    """The same of a plain list, the way a request comes in."""
    try:
        return ReadDays(np.array(list(map(_PLAIN_DAYS.__getitem__, values)), np.int32), None, 0)
    except _NotPlain:
        pass
    days, zoned = tuple(zip(*map(read_day, values), strict=True)) or ((), ())
    if None not in days:
        return ReadDays(np.array(days, np.int32), None, sum(zoned))
    unread = np.array([day is None for day in days], bool)
    return ReadDays(np.array([NO_DAY if day is None else day for day in days], np.int32), unread, sum(zoned))
