"""Works out days and doses of supplies from their amounts, and joins each reversal to the supply that it undoes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.records.same_event.reversals import matched_supplies, returns_of_parts, with_what_is_left
from features.records.same_event.supply_rows import (
    NOT_GIVEN,
    REVERSED,
    TAKEN_BACK,
    Columns,
    Mask,
    days_not_recorded,
    injections,
    takes_back,
)

MOST_DAYS, MOST_MG_A_DAY = 400, 20_000
_OWN = ("status", "known_on")
"""The columns that a reversal keeps. It takes the others from the supply that it undoes."""


@dataclass(frozen=True)
class Settled:
    """The rows with what was worked out, and the counts for the report."""

    columns: Columns
    patient: npt.NDArray[np.int32]
    days_from_quantity: int
    days_assumed: int
    intervals_assumed: int
    reversed: int
    added: int
    matched_nothing: npt.NDArray[np.int64]
    """Reversals and returns that match no supply, so that nothing was undone."""


def settle(columns: Columns, patient: npt.NDArray[np.int32]) -> Settled:
    """Days and doses that quantity, strength and dose give, and each reversal with the values of the supply that it
    undoes. A return of part of a supply becomes the reversal of that supply, and what was left of it is one row more,
    at the end. ``columns`` are typed, with both clocks filled in, rows in any order.
    """
    columns = dict(columns)
    taken_back = columns.pop(TAKEN_BACK, np.zeros(len(patient), bool))
    daily = columns["daily_dose_mg"]
    worked_out = _days_and_doses(columns)
    undoing = np.flatnonzero(takes_back(columns))
    matched = matched_supplies(columns, patient, undoing, taken_back)
    returned = returns_of_parts(
        columns, patient, [row for row in undoing.tolist() if row not in matched], matched, daily, taken_back
    )
    if matched or returned:
        rows, sources = [*matched, *(one.row for one in returned)], [*matched.values(), *(one.of for one in returned)]
        for name, values in columns.items():
            if name not in _OWN:
                columns[name] = values.copy()
                columns[name][rows] = values[sources]
        columns["status"] = columns["status"].copy()
        columns["status"][rows] = REVERSED
        columns, patient = with_what_is_left(columns, patient, returned)
    live = columns["status"] < REVERSED
    silent, injection = days_not_recorded(columns) & live, injections(columns)
    undone = {*matched, *(one.row for one in returned)}
    lone = [row for row in undoing.tolist() if row not in undone and columns["status"][row] != NOT_GIVEN]
    return Settled(
        columns,
        patient,
        int((worked_out & live[: len(worked_out)]).sum()),
        int((silent & ~injection).sum()),
        int((silent & injection).sum()),
        len(undone) + len(lone),
        len(patient) - len(worked_out),
        np.array(lone, np.int64),
    )


def _days_and_doses(columns: Columns) -> Mask:
    """Fills in days and daily doses; returns where the days were worked out. What the record states is never
    changed."""
    quantity, daily, units = columns["quantity"], columns["daily_dose_mg"], columns["units_a_day"]
    days, strength = columns["days_supplied"], columns["strength_mg"]
    nothing = np.zeros(len(days), bool)
    if np.isnan(quantity).all() and np.isnan(units).all():
        return nothing
    tablets = ~injections(columns)
    one = np.where(np.isnan(strength), columns["dose_mg"], strength)  # a dose stands for a unit of unknown strength
    with np.errstate(divide="ignore", invalid="ignore"):
        lasts = np.where(units > 0, quantity / units, quantity * one / daily)
        worked_out = (np.isnan(days) | (days == 0)) & tablets & (lasts > 0) & (lasts <= MOST_DAYS)
        columns["days_supplied"] = days = np.where(worked_out, np.maximum(np.floor(lasts + 1e-9), 1), days)
        mg = np.where(np.isnan(units), quantity * strength / days, units * strength)
    plausible = np.isnan(daily) & tablets & (columns["as_required"] != 1) & (mg > 0)
    plausible &= mg <= MOST_MG_A_DAY
    columns["daily_dose_mg"] = np.where(plausible, mg, daily)
    return np.asarray(worked_out)
