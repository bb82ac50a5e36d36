"""Finds the supply that each reversal, refusal or partial return applies to, and what is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.records.same_event.supply_rows import (
    NOT_GIVEN,
    PART_RETURNED,
    REVERSED,
    USUAL_SUPPLY_DAYS,
    Columns,
    Mask,
    injections,
    long_acting,
)
from features.records.table import take

REVERSED_WITHIN_DAYS = 180
"""A reversal undoes a supply of at most this many days before it [D]. A reversal given only by a word (cancelled on
its own day) undoes an earlier supply while at least half of it is left. Later it means a supply that did not take
place.
"""
_AMOUNTS = ("quantity", "days_supplied", "daily_dose_mg", "dose_mg")


def matched_supplies(
    columns: Columns, patient: npt.NDArray[np.int32], undoing: npt.NDArray[np.int64], taken_back: Mask
) -> dict[int, int]:
    """The supply that each row undoes, of the same amounts where both state them. Each supply is undone once, the
    latest first. A row "not given" undoes only a row of its own day.
    """
    found: dict[int, int] = {}
    if not len(undoing):
        return found
    supplies = Supplies.of(columns, patient, undoing)
    day, known, status = columns["supplied_on"], columns["known_on"], columns["status"]
    taken: set[int] = set()
    for row in sorted(undoing.tolist(), key=lambda r: (day[r], known[r], *stated(columns, r)), reverse=True):
        if status[row] == PART_RETURNED:
            continue
        fits = supplies.before(row)
        since = day[row] - day[fits]
        if status[row] == NOT_GIVEN:
            fits = fits[since == 0]
        fits = fits[[_in_time(columns, row, place, taken_back) for place in fits.tolist()]]
        for name in _AMOUNTS:
            told, asked = columns[name][fits], columns[name][row]
            fits = fits[(told == asked) | np.isnan(told) | np.isnan(asked)]
        free = [place for place in fits.tolist() if place not in taken]
        if free:
            found[row] = max(free, key=lambda place: (day[place], known[place], *stated(columns, place)))
            taken.add(found[row])
    return found


def _in_time(columns: Columns, row: int, supply: int, taken_back: Mask) -> bool:
    """Whether a reversal can be of a supply, by their days: always for a row with a negative amount, while the supply
    lasts for a returned part, and while at least half of the supply is left for a row that only a word marks.
    """
    since = int(columns["supplied_on"][row] - columns["supplied_on"][supply])
    if since == 0 or taken_back[row]:
        return True
    lasts = columns["interval_days" if long_acting()[columns["medicine"][supply]] else "days_supplied"][supply]
    lasts = USUAL_SUPPLY_DAYS if np.isnan(lasts) else lasts
    return bool(since < lasts if columns["status"][row] == PART_RETURNED else 2 * since <= lasts)


def stated(columns: Columns, row: int) -> tuple[float, ...]:
    """A sort key for rows of one day that does not depend on their order in the extract."""
    return tuple(float(np.nan_to_num(columns[name][row], nan=-1)) for name in (*_AMOUNTS, "kind", "route"))


@dataclass(frozen=True)
class Supplies:
    """The rows of the people of some reversals that tell of a supply, in order of people."""

    columns: Columns
    rows: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, columns: Columns, patient: npt.NDArray[np.int32], undoing: Sequence[int] | Any) -> Supplies:
        rows = np.flatnonzero(np.isin(patient, patient[undoing]))
        rows = rows[columns["status"][rows] < REVERSED]
        rows = rows[np.argsort(patient[rows], kind="stable")]
        begins, ends = (np.searchsorted(patient[rows], patient, side) for side in ("left", "right"))
        return cls(columns, rows, begins, ends)

    def before(self, row: int) -> npt.NDArray[np.int64]:
        """Those of the row's person, medicine, kind and prescriber, on its day or up to ``REVERSED_WITHIN_DAYS``
        before it, and known by then."""
        day, known = self.columns["supplied_on"], self.columns["known_on"]
        fits = self.rows[self.begins[row] : self.ends[row]]
        fits = fits[self.columns["medicine"][fits] == self.columns["medicine"][row]]
        since = day[row] - day[fits]
        fits = fits[(since >= 0) & (since <= REVERSED_WITHIN_DAYS) & (known[fits] <= known[row])]
        for name in ("kind", "prescriber"):
            told, asked = self.columns[name][fits], self.columns[name][row]
            fits = fits[(told == asked) | (told < 0) | (asked < 0)]
        return fits


@dataclass(frozen=True)
class PartReturned:
    """The row that tells of a return, the supply that it tells of, and that supply's quantity and days before and
    after."""

    row: int
    of: int
    before: tuple[float, float]
    after: tuple[float, float]


def returns_of_parts(
    columns: Columns,
    patient: npt.NDArray[np.int32],
    returns: Sequence[int],
    undone: Mapping[int, int],
    daily: npt.NDArray[np.float64],
    taken_back: Mask,
) -> list[PartReturned]:
    """Rows that take back fewer units than were supplied, each with the latest supply that it fits: of as many units or
    more, of the same doses where both state them (``daily`` as given), and of a known length. Several returns of one
    supply add up."""
    found: list[PartReturned] = []
    asking = [row for row in returns if columns["status"][row] != NOT_GIVEN and columns["quantity"][row] > 0]
    if not asking:
        return found
    supplies = Supplies.of(columns, patient, asking)
    day, known, medicine = columns["supplied_on"], columns["known_on"], columns["medicine"]
    corrected = {(patient[row], medicine[row], day[of], known[row]) for row, of in undone.items()}
    taken = set(undone.values())
    left: dict[int, tuple[float, float]] = {}
    for row in sorted(asking, key=lambda r: (known[r], day[r], *stated(columns, r))):
        back = float(columns["quantity"][row])
        fits = supplies.before(row)
        for name, asked in (("daily_dose_mg", daily[row]), ("dose_mg", columns["dose_mg"][row])):
            told = columns[name][fits]
            fits = fits[(told == asked) | np.isnan(told) | np.isnan(asked)]
        free = [
            place
            for place in fits.tolist()
            if place not in taken
            and (patient[place], medicine[place], day[place], known[row]) not in corrected
            and not injections(columns)[place]
            and columns["days_supplied"][place] > 0
            and (left[place][0] >= back if place in left else columns["quantity"][place] > back)
            and _in_time(columns, row, place, taken_back)
        ]
        if free:
            place = max(free, key=lambda one: (day[one], known[one], *stated(columns, one)))
            whole = float(columns["quantity"][place]), float(columns["days_supplied"][place])
            before = left.get(place, whole)
            rest = before[0] - back
            after = rest, max(1.0, float(np.floor(rest * whole[1] / whole[0] + 1e-9))) if rest > 0 else 0.0
            found.append(PartReturned(row, place, before, after))
            left[place] = after
    return found


def with_what_is_left(
    columns: Columns, patient: npt.NDArray[np.int32], returned: Sequence[PartReturned]
) -> tuple[Columns, npt.NDArray[np.int32]]:
    """The rows with the amounts of each supply before its return, and a row of what was left after it, which became
    known with the return."""
    if not returned:
        return columns, patient
    rows = [one.row for one in returned]
    some = [one for one in returned if one.after[0] > 0]
    again = np.r_[np.arange(len(patient)), [one.of for one in some]].astype(np.int64)
    longer = {name: take(values, again) for name, values in columns.items()}
    for place, name in enumerate(("quantity", "days_supplied")):
        longer[name][rows] = [one.before[place] for one in returned]
        longer[name][len(patient) :] = [one.after[place] for one in some]
    longer["known_on"][len(patient) :] = columns["known_on"][[one.row for one in some]]
    return longer, patient[again]
