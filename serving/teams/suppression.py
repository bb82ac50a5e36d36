"""Hides small numbers so that nobody can be identified in a table of groups, not even by subtraction.

A count of 1 to 4 is hidden (as in the mental health statistics of NHS England, which also round; we do not, because a
team's counts are small). Totals are known, so a single hidden cell could be computed from the others. Then the next
smallest is hidden too, until the hidden cells are at least two and together at least ``LEAST``. Zero is shown,
because the view exists to show a group without a place.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST = 5


def suppressed(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts of one column, by group, with None for a hidden number. The reader may know the total."""
    hidden = {group for group, count in counts.items() if 0 < count < LEAST}
    if hidden:
        # Hide larger cells before zeros: a zero next to a hidden cell hides nothing.
        rest = sorted((g for g in counts if g not in hidden), key=lambda g: (counts[g] == 0, counts[g], g))
        while rest and (len(hidden) < 2 or sum(counts[group] for group in hidden) < LEAST):
            hidden.add(rest.pop(0))
    return {group: None if group in hidden else count for group, count in counts.items()}
