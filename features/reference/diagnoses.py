"""Groups of diagnoses that clinical rules use (``diagnosis_groups.csv``): by ICD-10 category, by SNOMED CT
concept, or by the group a source names as the label."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from features.reference.files import ReferenceTableError, read_rows
from features.reference.words import plain_word

_WAYS = ("icd10", "snomed", "label")
TEXTS_KEPT = 16_384
"""Codes and labels come from records and requests: answers are kept for so many of them, so that no sender fills the
memory."""


@cache
def _load() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for row in read_rows("diagnosis_groups"):
        if row["by"] not in _WAYS:
            raise ReferenceTableError(
                f"diagnosis_groups.csv: {row['group']} {row['value']}: by must be one of {', '.join(_WAYS)}"
            )
        found.setdefault(row["group"], {way: set() for way in _WAYS})[row["by"]].add(row["value"].casefold())
    return {group: {by: frozenset(values) for by, values in ways.items()} for group, ways in found.items()}


@lru_cache(TEXTS_KEPT)
def in_group(group: str, code: str | None, label: str | None) -> bool:
    """Whether a recorded diagnosis belongs to ``group``. An ICD-10 code belongs if it or any of its parents is in the
    group (F32.3: F323, F32, F3); a SNOMED CT concept only if it is itself in the group."""
    ways = _load()[group]
    if label and " ".join(label.replace("\u2019", "'").casefold().split()) in ways["label"]:
        return True
    if code and code.strip() in ways["snomed"]:
        return True
    plain = (code or "").replace(".", "").casefold()
    return any(plain[:length] in ways["icd10"] for length in range(3, len(plain) + 1))


@cache
def _words() -> re.Pattern[str]:
    """The beginnings of words in ``diagnosis_words.csv``."""
    words = [re.escape(plain_word(row["word"])) for row in read_rows("diagnosis_words")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})")


@lru_cache(TEXTS_KEPT)
def is_a_diagnosis(label: str) -> bool:
    """Whether a diagnosis in words is one that rules ask about."""
    return any(in_group(group, None, label) for group in GROUPS)


@lru_cache(TEXTS_KEPT)
def may_name_a_diagnosis(label: str) -> bool:
    """Whether words that are in no table speak of a diagnosis that rules ask about, present or not ("no evidence of
    psychosis", "FH: bipolar")."""
    return _words().search(plain_word(label)) is not None


def is_not_understood(label: str) -> bool:
    """Whether a diagnosis in words speaks of what rules ask about, and no rule reads it."""
    return may_name_a_diagnosis(label) and not is_a_diagnosis(label)


_OF_A_CLASSIFICATION = re.compile(r"[a-z]\d[\da-z](?:\.?[\da-z]{1,4})?|\d{3}(?:\.\d{1,2})?|\d{6,18}", re.IGNORECASE)


@lru_cache(TEXTS_KEPT)
def is_coded(code: str) -> bool:
    """Whether a code is one of ICD or SNOMED CT, as far as its shape says."""
    return _OF_A_CLASSIFICATION.fullmatch(code.replace(" ", "")) is not None


def is_uncertain(code: str) -> bool:
    """Whether a code says that its diagnosis is only asked about (``F20.0?``)."""
    return "?" in code


GROUPS: tuple[str, ...] = tuple(_load())
