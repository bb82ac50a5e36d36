"""Which medicines a recorded allergy names: by SNOMED CT concept, by the words of its label or by its group
(``allergy_terms.csv``), and by every name and brand of a medicine (``medicine_names.csv``)."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from features.reference.files import ReferenceTableError, is_unverified, read_rows
from features.reference.medicines.interactions import medicines_meant
from features.reference.medicines.medicine_names import names
from features.reference.medicines.medicines import MEDICINES
from features.reference.words import plain_word

_WORDS = re.compile(r"[a-z][a-z\-]+")
_NONE = frozenset(("no", "none", "nil", "not"))
"""A label that starts with one of these states that there is no allergy."""


@cache
def _terms() -> dict[tuple[str, str], tuple[frozenset[str], bool]]:
    found = {}
    for row in read_rows("allergy_terms"):
        if row["by"] not in ("snomed", "word", "group"):
            raise ReferenceTableError(f"allergy_terms.csv: {row['value']}: by must be snomed, word or group")
        names = frozenset().union(*(medicines_meant(term) for term in row["medicines_or_scopes"].split(";")))
        found[row["by"], row["value"].casefold()] = (names, not is_unverified(row["source"]))
    return found


@cache
def _by_name() -> dict[str, frozenset[str]]:
    """Every form of a medicine by its base name, and every product that it is a part of."""
    found: dict[str, set[str]] = {}
    for medicine in MEDICINES.values():
        for name in (medicine.base, *medicine.parts):
            found.setdefault(name.casefold(), set()).add(medicine.name)
    return {base: frozenset(forms) for base, forms in found.items()}


@cache
def _longest_name() -> int:
    return max(len(name.split()) for name in names())


@lru_cache(16_384)  # words of senders
def _named(phrase: str) -> frozenset[str]:
    """Every form of the medicine that a name or a brand means."""
    name = names().get(phrase)
    return frozenset() if name is None else _by_name()[MEDICINES[name].base.casefold()]


@lru_cache(16_384)  # words of senders
def medicines_of_allergy(code: str, label: str) -> frozenset[str]:
    """Names of the medicines that an allergy record means; none for one that says there is no allergy, or that names
    no medicine we know."""
    plain = code.strip().casefold()
    found = set(_terms().get(("snomed", plain), (frozenset(), True))[0])
    for text in (plain, label.casefold()):
        words = _WORDS.findall(text)
        if not words or words[0] in _NONE:
            continue
        for word in words:
            found |= _by_name().get(word, frozenset()) | _terms().get(("word", word), (frozenset(), True))[0]
        plain_words = plain_word(text).split()
        for first in range(len(plain_words)):
            for end in range(first + 1, min(first + _longest_name(), len(plain_words)) + 1):
                found |= _named(" ".join(plain_words[first:end]))
    for group, also in _whole_groups():
        if found & group:
            found |= also
    return frozenset(found)


@cache
def _whole_groups() -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """Groups of which an allergy to one medicine is an allergy to others: its medicines, and the others."""
    return tuple((medicines_meant(value), also) for (by, value), (also, _) in _terms().items() if by == "group")
