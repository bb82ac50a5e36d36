"""Small numbers hidden so that nobody can be picked out of a table of groups, not even by subtraction.

A count of 1 to 4 is hidden (as in the mental health statistics of NHS England, which also round; we do not, since a
team's own counts are small). Totals are known, so one hidden cell could be worked out from the others: then the next
smallest is hidden too, until what is hidden together is at least ``LEAST`` in at least two cells. Nought is shown:
that a group has no slot is what the view is for.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST = 5


def suppressed(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts of one column, by group, with None where a number is hidden. The sum over all groups may be known to
    the reader."""
    hidden = {group for group, count in counts.items() if 0 < count < LEAST}
    if hidden:
        # Larger cells before noughts: a nought beside a hidden cell hides nothing.
        rest = sorted((g for g in counts if g not in hidden), key=lambda g: (counts[g] == 0, counts[g], g))
        while rest and (len(hidden) < 2 or sum(counts[group] for group in hidden) < LEAST):
            hidden.add(rest.pop(0))
    return {group: None if group in hidden else count for group, count in counts.items()}
