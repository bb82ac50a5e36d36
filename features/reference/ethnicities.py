"""Groups of ethnicity words that a clinical limit depends on (``ethnicity_groups.csv``). A group is used, never
shown.
"""

from __future__ import annotations

from functools import cache

from features.reference.files import read_rows

LOWER_BODY_MASS = "lower body mass limits"


@cache
def _load() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in read_rows("ethnicity_groups"):
        found.setdefault(row["group"], set()).add(row["value"].casefold())
    return {group: frozenset(values) for group, values in found.items()}


def in_ethnicity_group(group: str, word: str | None) -> bool:
    """Whether a recorded ethnicity belongs to a group, by its word or its code."""
    return (word or "").strip().casefold() in _load()[group]
