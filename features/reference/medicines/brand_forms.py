"""Brands that are sold both by mouth and as a long-acting injection (``brands_of_both_forms.csv``): which of the two a
row means. The name alone does not say it, so the route, the dose, the strength or the interval has to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from features.reference.files import ReferenceTableError, read_rows
from features.reference.medicines.medicines import MEDICINES
from features.reference.words import plain_word

FORM_NOT_RECORDED = (
    "form not recorded: the brand is sold by mouth and as a long-acting injection, and no route, dose, strength or "
    "interval says which"
)
LONG_INTERVAL_DAYS = 7
"""Nobody takes tablets once a week or less: an interval of so many days is that of a long-acting injection."""


@dataclass(frozen=True)
class BrandOfBothForms:
    """``mouth_to_mg`` is the largest amount that is one dose by mouth, ``injection_from_mg`` the smallest that is an
    injection; between them the amount does not tell. ``any_injection_is_long_acting``: the brand has no other
    injection."""

    by_mouth: str
    injection: str
    mouth_to_mg: float
    injection_from_mg: float
    any_injection_is_long_acting: bool

    def by_amount(self, mg: float) -> bool | None:
        """Whether an amount is that of the injection; None where it does not tell."""
        if mg >= self.injection_from_mg:
            return True
        return False if 0 < mg <= self.mouth_to_mg else None


@cache
def brands() -> dict[str, BrandOfBothForms]:
    """The brands by name, as ``plain_word`` spells it."""
    found = {}
    for row in read_rows("brands_of_both_forms"):
        if not {row["by_mouth"], row["injection"]} <= set(MEDICINES):
            raise ReferenceTableError(f"brands_of_both_forms.csv: {row['name']}: a medicine that is in no table")
        limits = float(row["mouth_to_mg"]), float(row["injection_from_mg"])
        only = row["any_injection_is_long_acting"] == "yes"
        found[plain_word(row["name"])] = BrandOfBothForms(row["by_mouth"], row["injection"], *limits, only)
    return found


@cache
def by_mouth() -> frozenset[str]:
    """The medicines by mouth that such a brand may mean."""
    return frozenset(one.by_mouth for one in brands().values())


def brand_in(name: str) -> BrandOfBothForms | None:
    """The brand that a name begins with, unless the name says the form by mouth (tablets, drops, liquid)."""
    words = plain_word(name).split()
    brand = brands().get(words[0]) if words else None
    return None if brand is None or _BY_MOUTH & set(words) else brand


def amount_in(name: str) -> float:
    """The mg of one unit or one ml that a name gives; NaN where it gives none, or one that could mean two."""
    found = _AMOUNT.search(name)
    if found is None or THOUSANDS_OR_DECIMALS.fullmatch(found[1]):
        return float("nan")
    return float(found[1].replace(",", "."))


THOUSANDS_OR_DECIMALS = re.compile(r"\d{1,3},\d{3}", re.ASCII)
"""A number that could be thousands or a fraction: it is never guessed."""
_AMOUNT = re.compile(r"(?<![\d./])(\d+(?:[.,]\d+)?)\s*mg", re.IGNORECASE)
_BY_MOUTH = frozenset(
    plain_word("tablet tablets tab tabs tbl capsule capsules cap caps drops liquid liq syrup elixir oral").split()
)
"""Words of a name that only a form by mouth has."""
