"""One supply, however many rows tell of it: the step between the tables and the engine.

A prescription, its dispensing and its administration are one supply, and the strongest row that is known stands for it.
Rows of one medicine and strength of evidence on one day are one supply: their doses add up, the longest length counts.
What a trust and a GP both supply stays two supplies: a double supply is a gap of its own.

Nothing is dropped and no row moves: the answer is, for each row, the day on which it stops to stand (``until``) and the
dose and length that it stands for meanwhile. A stronger row that became known later changes no earlier day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.jit import jit

FOREVER = 2**31 - 1
BEFORE_DAYS = 3
"""A supply up to this many days before its prescription is still of that prescription: paper follows the handover."""
HELD_DAYS = 90
"""While a course of stronger rows lasts (at most this many days after their supply ran out), a weaker row of the same
prescriber is no supply of its own: it was written and not collected, or sent to the clinic and not given [D]."""
_MOST_LENGTH = 400


@dataclass(frozen=True)
class OneSupply:
    """For each row of ``supplies``: it is read on a day ``t`` where ``known_on < t <= until``, as ``length`` days of
    ``dose`` mg a day."""

    until: npt.NDArray[np.int32]
    length: npt.NDArray[np.int32]
    dose_mg_a_day: npt.NDArray[np.float64]


def one_supply(
    offsets: npt.NDArray[np.int64],
    columns: Any,
    injection: npt.NDArray[np.bool_],
    length: npt.NDArray[np.int32],
    dose_mg_a_day: npt.NDArray[np.float64],
) -> OneSupply:
    """What each row of ``supplies`` stands for. ``length`` and ``dose_mg_a_day`` are those of the row alone."""
    until, longest, total = np.full(len(length), FOREVER, np.int32), length.copy(), dose_mg_a_day.copy()
    kind = columns["kind"]
    # prescribed 1, dispensed 2, administered 3; what does not say is as strong as the usual row of its route
    rank = np.where(kind < 0, np.where(injection, 3, 2), kind + 1).astype(np.int8)
    same = columns["medicine"].astype(np.int64) * 4 + injection * 2 + (columns["as_required"] == 1)
    _stand(
        offsets,
        columns["supplied_on"],
        columns["known_on"],
        same,
        rank,
        columns["prescriber"],
        length,
        dose_mg_a_day,
        until,
        longest,
        total,
    )
    return OneSupply(until, longest, total)


@jit()
def _stand(offsets, day, known, same, rank, side, length, dose, until, longest, total):  # type: ignore[no-untyped-def]
    for p in range(offsets.shape[0] - 1):
        first, last = offsets[p], offsets[p + 1]
        mixed = False
        begin = first
        for i in range(first, last):
            mixed = mixed or rank[i] != rank[first]
            if day[i] != day[begin]:
                begin = i
            if (i > first and day[i - 1] == day[i]) or (i + 1 < last and day[i + 1] == day[i]):
                _add_up(begin, last, i, day, known, same, rank, side, length, dose, until, longest, total)
        if mixed:
            for i in range(first, last):
                _replace(first, last, i, day, known, same, rank, side, length, until)


@jit()
def _another(one, other):  # type: ignore[no-untyped-def]
    """Whether two prescribers are known to differ: a trust and a GP who both supply give two supplies, which is a gap
    of its own."""
    return one >= 0 and other >= 0 and one != other


@jit()
def _earlier(i, j, known):  # type: ignore[no-untyped-def]
    """Whether row ``i`` was known before row ``j``, by place where on one day."""
    return known[i] < known[j] or (known[i] == known[j] and i < j)


@jit()
def _add_up(begin, last, i, day, known, same, rank, side, length, dose, until, longest, total):  # type: ignore[no-untyped-def]
    """The supply of row ``i`` and of the rows of its day that were known by then, until the next of them is known.

    Two rows that say the same are one row sent twice.
    """
    added = 0.0
    for j in range(begin, last):
        if day[j] != day[i]:
            break
        if same[j] != same[i] or rank[j] != rank[i] or side[j] != side[i]:
            continue
        if _earlier(i, j, known):
            until[i] = min(until[i], known[j])
            continue
        longest[i] = max(longest[i], length[j])
        again = False
        for k in range(begin, j):
            alike = (
                same[k] == same[i] and rank[k] == rank[i] and side[k] == side[i] and (k == i or _earlier(k, i, known))
            )
            again = again or (alike and length[k] == length[j] and dose[k] == dose[j])
        if not again and dose[j] == dose[j]:
            added += dose[j]
            total[i] = added


@jit()
def _replace(first, last, i, day, known, same, rank, side, length, until):  # type: ignore[no-untyped-def]
    """Ends row ``i`` on the day that a stronger row of its supply, or of the course it belongs to, is known."""
    for j in range(i - 1, first - 1, -1):
        if day[j] < day[i] - _MOST_LENGTH - HELD_DAYS:
            break
        if rank[j] <= rank[i] or same[j] != same[i] or _another(side[i], side[j]):
            continue
        if day[j] >= day[i] - BEFORE_DAYS or day[i] <= day[j] + length[j] + HELD_DAYS:
            until[i] = min(until[i], max(known[j], day[j]))
    for j in range(i + 1, last):
        if day[j] >= day[i] + max(length[i], 1):
            break
        if rank[j] > rank[i] and same[j] == same[i] and not _another(side[i], side[j]):
            until[i] = min(until[i], max(known[j], day[j]))


__all__ = ["BEFORE_DAYS", "FOREVER", "HELD_DAYS", "OneSupply", "one_supply"]
