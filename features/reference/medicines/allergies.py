"""Which medicines a recorded allergy names: by SNOMED CT concept or by the words of its label
(``allergy_terms.csv``)."""

from __future__ import annotations

import re
from functools import cache

from features.reference.files import ReferenceTableError, is_unverified, read_rows
from features.reference.medicines.interactions import medicines_meant
from features.reference.medicines.medicines import MEDICINES

_WORDS = re.compile(r"[a-z][a-z\-]+")
_NONE = frozenset(("no", "none", "nil", "not"))
"""A label that starts with one of these states that there is no allergy."""


@cache
def _terms() -> dict[tuple[str, str], tuple[frozenset[str], bool]]:
    found = {}
    for row in read_rows("allergy_terms"):
        if row["by"] not in ("snomed", "word"):
            raise ReferenceTableError(f"allergy_terms.csv: {row['value']}: by must be snomed or word")
        names = frozenset().union(*(medicines_meant(term) for term in row["medicines_or_scopes"].split(";")))
        found[row["by"], row["value"].casefold()] = (names, not is_unverified(row["source"]))
    return found


@cache
def _by_name() -> dict[str, frozenset[str]]:
    """Every form of a medicine by its base name."""
    found: dict[str, set[str]] = {}
    for medicine in MEDICINES.values():
        found.setdefault(medicine.base.casefold(), set()).add(medicine.name)
    return {base: frozenset(names) for base, names in found.items()}


@cache
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
    return frozenset(found)
