"""Reads FHIR dates and times as London days, with the shared date reader. A partial date becomes the last day of its
period, so that no event is dated too early.
"""

from __future__ import annotations

import calendar
import datetime as dt
from functools import lru_cache

from features.records.days import NO_DAY, day_of
from features.records.reading.dates import read_day


class NotADate(ValueError):
    """Raised for text that is not a FHIR date, dateTime or instant. The message never holds the text."""


def day(text: str | None) -> int:
    """Day number of a FHIR date, dateTime or instant; NO_DAY where there is none. Raises NotADate.

    A time with a zone is the day it was in London: ``2025-07-01T23:30:00Z`` is 2 July. ``2024`` is 31 December 2024.
    """
    if text is None:
        return NO_DAY
    if text[16:19] == ":60":  # a leap second, which FHIR allows
        text = f"{text[:16]}:59{text[19:]}"
    if (
        len(text) >= 20
        and text[10] == "T"
        and "00" <= text[11:13] < "23"
        and (text[-1] == "Z" or text[-6:] == "+00:00")
    ):
        return _read(text[:10])  # London is at most an hour ahead of UTC
    return _read(text)


def is_partial(text: str | None) -> bool:
    """True for a year or a month without a day."""
    return text is not None and len(text) < 10


def birth_day(text: str | None) -> int:
    """Like ``day``, but a year alone becomes 1 July and a month alone becomes the 15th."""
    if text is not None and len(text) in (4, 7):
        return _read(f"{text}-07-01" if len(text) == 4 else f"{text}-15")
    return day(text)


@lru_cache(maxsize=65_536)
def _read(text: str) -> int:
    found = _last_day(text) if len(text) in (4, 7) else read_day(text).day
    if found is None or (found == NO_DAY and text):
        raise NotADate("not a date; FHIR writes YYYY, YYYY-MM, YYYY-MM-DD or a time with a zone")
    return found


def _last_day(text: str) -> int | None:
    try:
        year, month = int(text[:4]), int(text[5:] or 12)
        return day_of(dt.date(year, month, calendar.monthrange(year, month)[1]))
    except (ValueError, calendar.IllegalMonthError):
        return None
