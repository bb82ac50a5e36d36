"""The table of words that values may be written in (``words.csv``): the meaning of each, and which fields are closed.

A word is compared without case, spaces at its ends, and punctuation. A value that the table does not hold is not
understood: it never means "no" and never means a change.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from features.reference.files import ReferenceTableError, read_rows

UNKNOWN = "unknown"
"""The value of a source that does not know. It is understood and carries no information."""

OPEN_KINDS = frozenset(
    ("infection", "accessible_format", "reasonable_adjustment", "reported_missed_doses", "substance_use")
)
"""Kinds of circumstance whose value may be any text (which infection, how many doses): words of the table take their
meaning, other text is kept.
"""

_PUNCTUATION = re.compile(r"[^\w<>=?+&]+|_")


_CIGARETTES = re.compile(r"(?:smokes )?(\d{1,3})(?: cigarettes?| cigs?)?(?: (?:a|per|each) day| day| daily)")
"""A number of cigarettes is kept as it is, so that a rule can see that it fell."""


@lru_cache(maxsize=65_536)
def plain_word(text: str) -> str:
    """A word as it is compared: ``"Ex-Smoker "`` is ``"ex smoker"``."""
    return _PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


@cache
def _load() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in read_rows("words"):
        words = found.setdefault(row["field"], {plain_word(row["value"]): row["value"]})
        for word in (row["value"], *row["words"].split(";")):
            if words.setdefault(plain_word(word), row["value"]) != row["value"]:
                raise ReferenceTableError(f"words.csv: {row['field']}: {word} means two things")
    for field, words in found.items():
        if field not in ("any", "kind", "flag", "comparator"):
            for word, value in found["any"].items():
                words.setdefault(word, value)
    return found


def meanings(field: str) -> dict[str, str]:
    """What each word of a field means, by ``plain_word``; empty for a field that no row names."""
    return _load().get(field, {})


CLOSED_KINDS = frozenset(
    (
        "smoking",
        "benign_ethnic_neutropenia",
        "childbearing_potential",
        "pregnancy",
        "interpreter",
        "interpreter_present",
        "housing",
        "employment",
        "living_alone",
        "carer",
        "community_treatment_order",
        "clozapine_service",
        "clozapine_interval",
    )
)
"""Kinds of circumstance whose value must be a word of the table, because a rule or a page depends on it."""


@lru_cache(maxsize=4_096)
def circumstance_kind(text: str) -> str:
    """The kind as the engine names it, or the text as given for a kind that no rule reads."""
    return meanings("kind").get(plain_word(text)) or plain_word(text).replace(" ", "_")


@lru_cache(maxsize=4_096)
def circumstance_value(kind: str, text: str) -> str | None:
    """The meaning of a value of a kind: a word of the table, the text itself for kinds that take any, ``UNKNOWN``, or
    None if it is not understood.
    """
    meant = meanings(kind).get(plain_word(text))
    if meant is not None:
        return meant
    amount = _CIGARETTES.fullmatch(plain_word(text)) if kind == "smoking" else None
    if amount:
        return f"{int(amount[1])}_a_day"
    return None if kind in CLOSED_KINDS else text
