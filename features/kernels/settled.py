"""Which rows of a person are read alike on all later days, so that a loop over rising days adds each of them once."""

from __future__ import annotations

from features.parts import part
from features.records.same_event.supplies import FOREVER


@part(inline="always")
def has_settled(known, until, i, t):
    """The same of a row of a day before ``t``. ``until`` is empty where every row stands."""
    if until.shape[0] == 0:
        return known[i] < t
    return until[i] < t or (known[i] < t and until[i] == FOREVER)


@part(inline="always")
def is_settled(day, known, until, i, t):
    """Whether row ``i`` is read, or is not read, on every day from ``t`` on. ``until`` is the last day on which each
    row stands."""
    return day[i] < t and (until[i] < t or (known[i] < t and until[i] == FOREVER))
