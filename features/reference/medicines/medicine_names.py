"""Which medicine a name means (``medicine_names.csv``): brands, salts and other spellings, and product names with a
strength and a form.

A name that is in no table is kept as a name: the person takes a medicine that Upstream does not know, and it is
never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from features.reference.files import ReferenceTableError, read_rows
from features.reference.medicines.brand_forms import brand_in
from features.reference.medicines.medicines import MEDICINES
from features.reference.words import plain_word

_STRENGTH = re.compile(
    r"\b\d[\d.,]*\s*(mg|mcg|micrograms?|microgram|g|grams?|ml|l|%|units?|unit|mmol|mg/ml|hours?|hr)?"
    r"(\s*/\s*\d*[\d.,]*\s*(mg|ml|g|actuation|dose|hours?|hr))?\b|%",
    re.IGNORECASE,
)
_MARKS = re.compile("[\u00ae\u2122\u2120\u00a9]")
"""Signs of a trade mark: some of them become letters of the name when its spelling is made plain."""
_INJECTED = frozenset(
    ("injection", "injections", "inj", "lai", "depot", "syringe", "syringes", "vial", "vials", "ampoule", "ampoules")
)


@cache
def names() -> dict[str, str]:
    """Medicine by every name in the tables, as ``plain_word`` spells it."""
    found = {plain_word(name): name for name in MEDICINES}
    for row in read_rows("medicine_names"):
        if row["medicine"] not in MEDICINES:
            raise ReferenceTableError(
                f"medicine_names.csv: {row['name']}: {row['medicine']} is in no table of medicines"
            )
        if found.setdefault(plain_word(row["name"]), row["medicine"]) != row["medicine"]:
            raise ReferenceTableError(f"medicine_names.csv: {row['name']} means two medicines")
    return found


@cache
def _forms() -> frozenset[str]:
    return _words_of(salts=False)


@cache
def _salts() -> frozenset[str]:
    """Salts that make no other medicine. Those of injections (decanoate, palmitate, embonate) are not among them."""
    return _words_of(salts=True)


def _words_of(*, salts: bool) -> frozenset[str]:
    rows = [row for row in read_rows("medicine_forms") if (row["note"] == "salts") == salts]
    return frozenset(word for row in rows for word in plain_word(row["words"]).split())


@lru_cache(maxsize=65_536)
def medicine_named(text: str) -> str | None:
    """The medicine for a name, a brand or a product; None if no table has it.

    After removing strength and form, a product name must be a name of the table. An injection of a medicine that the
    table holds only by mouth is not understood: ``olanzapine 210mg powder for injection`` may be the long-acting one.
    """
    text = _MARKS.sub(" ", text)
    plain = plain_word(text)
    if plain in names():
        return names()[plain]
    text = unicodedata.normalize("NFKC", text)
    words = set(plain_word(_STRENGTH.sub(" ", text)).split())
    found = _one_of(text)
    if found is None:
        return None
    if MEDICINES[found].route == "oral" and _INJECTED & words:
        return _long_acting(text, words)
    return found


def _long_acting(text: str, words: set[str]) -> str | None:
    """The long-acting injection of a brand whose name says that it is one ("Depixol injection")."""
    brand = brand_in(text)
    if brand is None:
        return None
    return brand.injection if brand.any_injection_is_long_acting or words & {"depot", "lai"} else None


def _one_of(text: str) -> str | None:
    """The medicine of a product name; of one with brackets the medicine that each part means."""
    whole = _by_words(text)
    if whole is not None or not _BRACKETS.search(text):
        return whole
    parts = [part for part in _BRACKETS.split(text) if _without_forms(part)]
    found = {_by_words(part) for part in parts}
    return found.pop() if len(found) == 1 else None


def _by_words(text: str) -> str | None:
    """The medicine that is left without strength and form, or without the salt too."""
    left = _without_forms(text)
    bare = " ".join(word for word in left if word not in _salts())
    return names().get(" ".join(left)) or names().get(bare)


def _without_forms(text: str) -> list[str]:
    return [word for word in plain_word(_STRENGTH.sub(" ", text)).split() if word not in _forms()]


_BRACKETS = re.compile(r"[()\[\]]")


_MG = re.compile(
    r"(?<![\d./])(\d+(?:[.,]\d+)?)\s*(mg|milligrams?|g|grams?|mcg|micrograms?)(?![\w/]|\s*/)", re.IGNORECASE
)


@lru_cache(maxsize=65_536)
def strength_mg_in(text: str) -> float:
    """The mg of one unit that a product's name gives ("Clozapine 100mg tablets"); NaN where it gives none, or more
    than one."""
    found = _MG.findall(text)
    if len(found) != 1:
        return float("nan")
    number, unit = found[0][0].replace(",", "."), found[0][1].casefold()
    factor = 1.0 if unit.startswith(("mg", "milli")) else 1000.0 if unit.startswith("g") else 0.001
    return float(number) * factor


def medicine_word(value: Any) -> str | None:
    """The same for a value of any type, as the reader of codes needs: empty text for none."""
    if not isinstance(value, str):
        return None
    return medicine_named(value) if value.strip() else ""
