"""Reads what stands where the day of a death should be."""

from __future__ import annotations

import re

from features.records.reading.ids import clean_id
from features.reference.words import meanings, plain_word

CLOSED_BY_DEATH = "closed because the person died, without a day"
"""The reason with which a referral's closure is kept as not understood."""

FAR_AHEAD = "more than a year after the extract: no day of a death"
"""The reason with which a day of death is kept as not understood, and the person as living."""
MOST_AHEAD = 366
"""A day of death up to so many days ahead is a death whose day was mistyped; a later one stands for none [D]."""

_NOBODY = re.compile(
    r"(?:0000|0001|1582|1753|180[01]|2999|9999)\d{0,4}(?:[^\d].*)?"  # a year that stands for "no date", year first
    r"|\d{1,2}[-/. ]\w{1,9}[-/. ](?:0001|1582|1753|180[01]|2999|9999)(?:[^\d].*)?"  # the same, day first
    r"|1900[-/.]?0?1[-/.]?0?1(?:[^\d].*)?|0?1[-/. ](?:0?1|jan\w*)[-/. ]1900(?:[^\d].*)?"
    r"|1899[-/.]?12[-/.]?3[01](?:[^\d].*)?|3[01][-/. ](?:12|dec\w*)[-/. ]1899(?:[^\d].*)?",
    re.ASCII | re.IGNORECASE,
)
"""A date that a system writes where there is none."""


def says_no_death(text: str) -> bool:
    """Whether a value in place of a day of death says that the person lives, or is a placeholder for no date. Every
    other value that is no day (``yes``, ``deceased``, ``05/24``) tells of a death whose day is not known.
    """
    clean = clean_id(text)
    return meanings("died_on").get(plain_word(clean)) == "no" or _NOBODY.fullmatch(clean) is not None
