"""Which medicine a name means (``medicine_names.csv``): brands, salts and other spellings, and product names with a
strength and a form.

A name that is in no table is kept as a name: the person takes a medicine that Upstream does not know, and it is
never guessed.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from features.reference.files import ReferenceTableError, read_rows
from features.reference.medicines.brand_forms import THOUSANDS_OR_DECIMALS, amount_in, brand_in
from features.reference.medicines.long_acting import by_strength, is_of_several, long_acting_of
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
_LONG_ACTING = frozenset(("depot", "lai", "acting"))
"""Words that only a long-acting injection has among the medicines that are sold as one ("long acting injection")."""
_SALTS_OF_DEPOTS = frozenset(("decanoate", "dec", "palmitate", "embonate", "pamoate"))


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
    for name, medicine in _names_of_combined(found):
        if found.setdefault(name, medicine) != medicine:
            raise ReferenceTableError(f"combined_medicines.csv: {name} means two medicines")
    return found


def _names_of_combined(known: dict[str, str]) -> list[tuple[str, str]]:
    """Names of the combined products: every name of each part, in any order, as products write them."""
    spelled: dict[str, list[str]] = {}
    for name, medicine in known.items():
        spelled.setdefault(medicine, []).append(name)
    return [
        (plain_word(joined.join(words)), medicine.name)
        for medicine in MEDICINES.values()
        if medicine.parts
        for parts in itertools.permutations(medicine.parts)
        for words in itertools.product(*(spelled[part] for part in parts))
        for joined in (" ", " with ")
    ]


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
    table holds only by mouth is the long-acting one if its name or strength says so, and else not understood:
    ``haloperidol 5mg/ml injection`` is not.
    """
    text = _MARKS.sub(" ", text)
    plain = plain_word(text)
    if plain in names():
        return names()[plain]
    text = unicodedata.normalize("NFKC", text)
    words = set(plain_word(_STRENGTH.sub(" ", text)).split())
    found = _one_of(text)
    if found is None:
        base = _by_words(text, _SALTS_OF_DEPOTS) if words & _SALTS_OF_DEPOTS else None
        return long_acting_of(MEDICINES[base].base, (amount_in(text),)) if base else None
    if MEDICINES[found].route == "oral" and _INJECTED & words:
        return _long_acting(text, words, MEDICINES[found].base)
    return by_strength(MEDICINES[found].base, amount_in(text)) or found if is_of_several(text) else found


def _long_acting(text: str, words: set[str], base: str) -> str | None:
    """The long-acting injection of a name that says that it is one ("Depixol injection", "haloperidol depot"), or
    whose strength does ("paliperidone 100mg injection")."""
    if words & _LONG_ACTING:
        return long_acting_of(base, (amount_in(text),))
    brand = brand_in(text)
    if brand is not None:
        return brand.injection if brand.any_injection_is_long_acting else None
    return by_strength(base, amount_in(text))


def _one_of(text: str) -> str | None:
    """The medicine of a product name; of one with brackets the medicine that each part means."""
    whole = _by_words(text)
    if whole is not None or not _BRACKETS.search(text):
        return whole
    parts = [part for part in _BRACKETS.split(text) if _without_forms(part)]
    found = {_by_words(part) for part in parts}
    return found.pop() if len(found) == 1 else None


def _by_words(text: str, without: frozenset[str] = frozenset()) -> str | None:
    """The medicine that is left without strength, form and the words of ``without``, or without the salt too."""
    left = [word for word in _without_forms(text) if word not in without]
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
    """The mg of one unit that a product's name gives ("Clozapine 100mg tablets"); NaN where it gives none, more
    than one, or one such as ``1,000mg`` that could mean two."""
    found = _MG.findall(text)
    if len(found) != 1:
        return float("nan")
    if THOUSANDS_OR_DECIMALS.fullmatch(found[0][0]):
        return float("nan")
    number, unit = found[0][0].replace(",", "."), found[0][1].casefold()
    factor = 1.0 if unit.startswith(("mg", "milli")) else 1000.0 if unit.startswith("g") else 0.001
    return float(number) * factor


def medicine_word(value: Any) -> str | None:
    """The same for a value of any type, as the reader of codes needs: empty text for none."""
    if not isinstance(value, str):
        return None
    return medicine_named(value) if value.strip() else ""
