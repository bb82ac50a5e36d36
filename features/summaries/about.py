"""What is known about a person besides medicines: age, diagnoses, allergies, who works with them, who cares for
them."""

from __future__ import annotations

from dataclasses import dataclass

from features.gaps.person_view import PersonAsKnown

MOST_NAMED = 6
NONE_KNOWN = {("allergy", "716186003"): "no known allergies recorded"}
"""A code for "none": shown in words, without the code (SNOMED CT: no known allergy)."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A recorded fact in its own words, and the day of its row."""

    text: str
    on: int


@dataclass(frozen=True, slots=True)
class About:
    """``age`` in whole years. Each list holds the newest record of each different text first, at most six of them;
    empty means that nothing is recorded, never that there is nothing."""

    age: int | None
    diagnoses: tuple[Dated, ...]
    allergies: tuple[Dated, ...]
    shared_care: tuple[Dated, ...]
    worker: Dated | None
    carer: Dated | None


def about(person: PersonAsKnown) -> About:
    """What is recorded of a person and was known on the day."""
    years = person.years_old(person.as_of)
    return About(
        None if years is None else int(years),
        _conditions(person, "diagnosis"),
        _conditions(person, "allergy"),
        _conditions(person, "shared_care"),
        _circumstance(person, "care_coordinator"),
        _circumstance(person, "carer"),
    )


def _conditions(person: PersonAsKnown, category: str) -> tuple[Dated, ...]:
    """A label with its code after it where both are there, as ``Paranoid schizophrenia (F20.0)``."""
    found: dict[str, Dated] = {}
    for row, day, code in reversed(person.conditions[category]):
        label, code = person.label(row).strip(), code.strip()
        if (category, code) in NONE_KNOWN:
            label, code = NONE_KNOWN[category, code], ""
        text = f"{label} ({code})" if label and code and label != code else label or code
        if text:
            found.setdefault(text.casefold(), Dated(text, day))
    return tuple(found.values())[:MOST_NAMED]


def _circumstance(person: PersonAsKnown, kind: str) -> Dated | None:
    entry = person.circumstance(kind)
    if entry is None:
        return None
    codes, words = person.shared.circumstances_written  # rules read it lowered
    return Dated(str(words[codes[entry.row]]).strip(), entry.day)
