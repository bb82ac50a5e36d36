"""Merges rows about one supply: the step between the tables and the engine.

A prescription, its dispensing and its administration are one supply. The strongest known row represents it.
Rows of one medicine and strength of evidence on one day are one supply: their doses add up, the longest length counts.
Supplies by a trust and by a GP stay two supplies, because a double supply is a care gap. An administered oral dose
belongs to the current supply. It is not a supply of its own and never replaces a longer one.

A reversal undoes its supply from the day on which the reversal became known. A weaker row that the undone row
represented stays undone too: a medicine that was prescribed and not handed over is not a supply.

No row is dropped or moved. The result gives, for each row, the day on which it stops counting (``until``), and the
dose and length that it represents until then. A stronger row that became known later changes no earlier day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.jit import jit
from features.parts import part
from features.records.same_event.supply_rows import REVERSED

FOREVER, NEVER = 2**31 - 1, -(2**31) + 1
BEFORE_DAYS = 3
"""A supply up to this many days before its prescription is still of that prescription: paper follows the handover."""
HELD_DAYS = 90
"""While a course of stronger rows lasts (at most this many days after their supply ran out), a weaker row of the same
prescriber is no supply of its own: it was written and not collected, or sent to the clinic and not given [D]."""
_MOST_LENGTH = 400
_ADMINISTERED = 3


@dataclass(frozen=True)
class OneSupply:
    """For each row of ``supplies``: it is read on a day ``t`` where ``known_on < t <= until``, as ``length`` days of
    ``dose`` mg a day."""

    until: npt.NDArray[np.int32]
    length: npt.NDArray[np.int32]
    dose_mg_a_day: npt.NDArray[np.float64]
    undone: npt.NDArray[np.int32]
    """The last day on which the row means a real supply, whether or not another row represents it."""


def one_supply(
    offsets: npt.NDArray[np.int64],
    columns: Any,
    injection: npt.NDArray[np.bool_],
    length: npt.NDArray[np.int32],
    dose_mg_a_day: npt.NDArray[np.float64],
) -> OneSupply:
    """The supply that each row of ``supplies`` represents. ``length`` and ``dose_mg_a_day`` are those of the row
    alone.
    """
    rows, longest, total = len(length), length.copy(), dose_mg_a_day.copy()
    until, undone, same = np.empty(rows, np.int32), np.empty(rows, np.int32), np.empty(rows, np.int64)
    rank, undoes = np.empty(rows, np.int8), np.empty(rows, np.int8)
    _describe(
        columns["kind"],
        injection,
        columns["medicine"],
        columns["as_required"],
        columns["status"],
        rank,
        same,
        undoes,
        until,
        undone,
    )
    _stand(
        offsets,
        columns["supplied_on"],
        columns["known_on"],
        same,
        rank,
        columns["prescriber"],
        undoes,
        length,
        dose_mg_a_day,
        until,
        longest,
        total,
        undone,
    )
    return OneSupply(until, longest, total, undone)


@jit(_nrt=False)
def _describe(kind, injection, medicine, as_required, status, rank, same, undoes, until, undone):  # type: ignore[no-untyped-def]
    """Fills in what each row is by itself: its ``rank`` (prescribed 1, dispensed 2, administered 3; what does not say
    is as strong as the usual row of its route), which rows are of the ``same`` medicine, which one ``undoes`` another,
    and how long it stands if no other row says more."""
    for i in range(rank.shape[0]):
        rank[i] = (3 if injection[i] else 2) if kind[i] < 0 else kind[i] + 1
        same[i] = np.int64(medicine[i]) * 4 + injection[i] * 2 + (as_required[i] == 1)
        undoes[i] = status[i] == REVERSED
        until[i] = NEVER if status[i] > REVERSED else FOREVER  # planned, not given, and what matches nothing
        undone[i] = FOREVER if status[i] < 1 else NEVER  # 0 is supplied, -1 is not recorded


@jit(_nrt=False)
def _stand(offsets, day, known, same, rank, side, undoes, length, dose, until, longest, total, undone):  # type: ignore[no-untyped-def]
    for p in range(offsets.shape[0] - 1):
        first, last = offsets[p], offsets[p + 1]
        mixed = False
        begin = first
        for i in range(first, last):
            mixed = mixed or rank[i] != rank[first]
            if day[i] != day[begin]:
                begin = i
            beside = (i > first and day[i - 1] == day[i]) or (i + 1 < last and day[i + 1] == day[i])
            if (beside or undoes[i]) and until[i] > NEVER:
                _add_up(begin, last, i, day, known, same, rank, side, undoes, length, dose, until, longest, total)
            if undoes[i]:
                _undo(begin, last, i, day, known, same, rank, side, undoes, length, dose, undone)
        if mixed:
            for i in range(first, last):
                _replace(first, last, i, day, known, same, rank, side, undoes, length, until)


@part()
def _another(one, other):  # type: ignore[no-untyped-def]
    """Whether two prescribers are known to differ: a trust and a GP who both supply give two supplies, which is a gap
    of its own."""
    return one >= 0 and other >= 0 and one != other


@part()
def _earlier(i, j, known):  # type: ignore[no-untyped-def]
    """True if row ``i`` was known before row ``j``. Rows known on one day are compared by position."""
    return known[i] < known[j] or (known[i] == known[j] and i < j)


@part()
def _add_up(begin, last, i, day, known, same, rank, side, undoes, length, dose, until, longest, total):  # type: ignore[no-untyped-def]
    """The supply of row ``i`` and of the rows of its day that were known by then, until the next of them is known.

    Two equal rows are one row sent twice. A reversal removes the equal rows known by then; if no row is left, there
    is no supply.
    """
    added, longest[i], left = np.nan, 0, False
    for j in range(begin, last):
        if day[j] != day[i]:
            break
        if same[j] != same[i] or rank[j] != rank[i] or side[j] != side[i] or until[j] == NEVER:
            continue
        if _earlier(i, j, known):
            until[i] = min(until[i], known[j])
            continue
        if undoes[j]:
            continue
        undone, again = False, False
        for k in range(begin, last):
            if day[k] != day[i]:
                break
            if same[k] != same[i] or rank[k] != rank[i] or side[k] != side[i] or until[k] == NEVER:
                continue
            if _earlier(i, k, known):
                continue
            if _alike(j, k, length, dose):
                undone = undone or (undoes[k] and known[j] <= known[k])
                again = again or (k < j and not undoes[k] and known[k] >= known[j])
                again = again or (k > j and not undoes[k] and known[k] > known[j])
        if undone or again:
            continue
        left = True
        longest[i] = max(longest[i], length[j])
        if dose[j] == dose[j]:
            added = dose[j] if added != added else added + dose[j]
    total[i] = added
    if not left:
        until[i] = min(until[i], known[i])


@part()
def _alike(i, j, length, dose):  # type: ignore[no-untyped-def]
    return length[i] == length[j] and (dose[i] == dose[j] or (dose[i] != dose[i] and dose[j] != dose[j]))


@part()
def _undo(begin, last, i, day, known, same, rank, side, undoes, length, dose, undone):  # type: ignore[no-untyped-def]
    """Ends the rows that the reversal ``i`` undoes."""
    for j in range(begin, last):
        if day[j] != day[i]:
            break
        if undoes[j] or same[j] != same[i] or rank[j] != rank[i] or side[j] != side[i] or known[j] > known[i]:
            continue
        if _alike(i, j, length, dose):
            undone[j] = min(undone[j], known[i])


@part()
def _replace(first, last, i, day, known, same, rank, side, undoes, length, until):  # type: ignore[no-untyped-def]
    """Ends row ``i`` on the day on which a stronger row of its supply, or of its course, is known. Ends a single dose
    of a current supply on the day on which both are known.
    """
    dose = rank[i] == _ADMINISTERED and same[i] & 2 == 0
    for j in range(i - 1, first - 1, -1):
        if day[j] < day[i] - _MOST_LENGTH - HELD_DAYS:
            break
        if same[j] != same[i] or until[j] == NEVER or undoes[j] or _another(side[i], side[j]):
            continue
        if dose and rank[j] < rank[i] and length[i] < length[j] and day[i] < day[j] + length[j]:
            until[i] = min(until[i], max(known[j], day[i]))
        if rank[j] <= rank[i]:
            continue
        by_mouth = rank[j] == _ADMINISTERED and same[j] & 2 == 0
        if by_mouth and length[j] < length[i]:
            continue
        if day[j] >= day[i] - BEFORE_DAYS or (not by_mouth and day[i] <= day[j] + length[j] + HELD_DAYS):
            until[i] = min(until[i], max(known[j], day[j]))
    for j in range(i + 1, last):
        if day[j] >= day[i] + max(length[i], BEFORE_DAYS + 1):
            break
        if same[j] != same[i] or until[j] == NEVER or undoes[j] or _another(side[i], side[j]):
            continue
        if dose and rank[j] < rank[i] and length[i] < length[j] and day[j] <= day[i] + BEFORE_DAYS:
            until[i] = min(until[i], max(known[j], day[j]))
        by_mouth = rank[j] == _ADMINISTERED and same[j] & 2 == 0
        if rank[j] > rank[i] and day[j] < day[i] + max(length[i], 1) and not (by_mouth and length[j] < length[i]):
            until[i] = min(until[i], max(known[j], day[j]))


__all__ = ["BEFORE_DAYS", "FOREVER", "HELD_DAYS", "NEVER", "OneSupply", "one_supply"]
