"""Names of protected characteristics, which never train a model and are never a reason (docs/architecture.md rule 6).
Checked when a bundle is written and whenever one is opened.
"""

from __future__ import annotations

from collections.abc import Iterable

from models.errors import BundleRefused
from models.explain.reasons import FeatureText

# Whole words of a feature's name or concept; `age` only as a person's age.
PROTECTED_WORDS = frozenset(
    {"sex", "gender", "ethnicity", "ethnic", "race", "deprivation", "imd", "language", "interpreter"}
    | {"disability", "autism", "autistic", "housing", "homeless"}
)
PROTECTED_NAMES = ("age", "age_years", "patient_age", "age_at", "birth_date")


def refuse_protected(texts: Iterable[FeatureText]) -> None:
    """Raises ``BundleRefused`` and names every feature that is, or belongs to, a protected characteristic."""
    wrong = [
        t.name
        for t in texts
        if PROTECTED_WORDS & {*t.name.split("_"), *t.concept.split("_")} or t.name in PROTECTED_NAMES
    ]
    if wrong:
        raise BundleRefused(
            f"{', '.join(wrong)}: a protected characteristic never trains a model and is never a reason "
            "(docs/architecture.md rule 6); leave it out"
        )
