"""Rows of ``supplies`` as they arrive: days from quantity and dose, reversals and what they undo, and how many rows do
not say how long they last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES
from features.reference.medicines.medicine_names import strength_mg_in
from features.reference.words import meanings, plain_word

Mask = npt.NDArray[np.bool_]
Columns = dict[str, Any]

USUAL_SUPPLY_DAYS = 28
"""A supply that does not say how long it lasts is taken to last four weeks, the usual length in England [D]."""
MOST_DAYS, MOST_MG_A_DAY = 400, 20_000
REVERSED_WITHIN_DAYS = 180
"""A reversal undoes a supply of at most this many days before it [D]."""
_SPEC = TABLES["supplies"]
REVERSED = _SPEC.column("status").values.index("reversed")
PLANNED = _SPEC.column("status").values.index("planned")
_ADMINISTERED = _SPEC.column("kind").values.index("administered")
_AMOUNTS = ("quantity", "days_supplied", "daily_dose_mg", "dose_mg")
_OWN = ("status", "known_on")
"""What a reversal keeps of its own: the rest comes from the supply that it undoes."""


def injections(columns: Mapping[str, Any]) -> Mask:
    """Which rows are long-acting injections, by the row's route or the medicine's."""
    code = _SPEC.column("route").values.index("long_acting_injection")
    return np.asarray((columns["route"] == code) | _long_acting()[columns["medicine"]])


@cache
def _long_acting() -> Mask:
    return np.array([medicine.is_long_acting_injection for medicine in MEDICINES.values()])


def doses_given(columns: Mapping[str, Any]) -> Mask:
    """Which rows are single doses that somebody gave: administered, and no long-acting injection."""
    return np.asarray((columns["kind"] == _ADMINISTERED) & ~injections(columns))


def days_not_recorded(columns: Mapping[str, Any]) -> Mask:
    """Which rows say nothing of how long they last: their length is the product's usual interval or four weeks. A
    single dose that was given lasts its day, which is no assumption."""
    injection = injections(columns)
    return np.isnan(np.where(injection, columns["interval_days"], columns["days_supplied"])) & ~doses_given(columns)


def read_supplies(given: Any, columns: Columns, unread: dict[str, Mask]) -> None:
    """Reads reversals out of a negative quantity or number of days and out of words among the kinds, and the strength
    out of a product's name where a quantity needs it. ``given`` is the table as it came. Changes ``columns`` and
    ``unread``."""
    back = (columns["quantity"] < 0) | _negative_days_of_a_supply(columns)
    if "kind" in unread:
        back |= _reversals_among_kinds(given["kind"], unread)
    if back.any():
        for name in ("quantity", "days_supplied"):
            columns[name] = np.where(back, np.abs(columns[name]), columns[name])
        columns["status"] = np.where(back, np.int16(REVERSED), columns["status"])
    wanting = np.flatnonzero(~np.isnan(columns["quantity"]) & np.isnan(columns["strength_mg"]))
    if len(wanting):
        named = _cells(given["medicine"], wanting)
        found = {name: strength_mg_in(name) for name in dict.fromkeys(named)}
        columns["strength_mg"] = columns["strength_mg"].copy()
        columns["strength_mg"][wanting] = [found[name] for name in named]


def _negative_days_of_a_supply(columns: Columns) -> Mask:
    """Rows with as many days below 0 as another row of the person and medicine has above: a reversal. Any other number
    below 0 is a mistake, which is set aside."""
    below = columns["days_supplied"] < 0
    if not below.any():
        return below
    ids = columns["patient_id"].dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    key = pd.MultiIndex.from_arrays([np.asarray(ids), columns["medicine"], np.abs(columns["days_supplied"])])
    return below & np.asarray(key.isin(key[~below]))


def _reversals_among_kinds(given: Any, unread: dict[str, Mask]) -> Mask:
    rows = np.flatnonzero(unread["kind"])
    words = meanings("status")
    back = np.zeros(len(unread["kind"]), bool)
    back[rows] = [words.get(plain_word(word)) == "reversed" for word in _cells(given, rows)]
    unread["kind"] &= ~back
    if not unread["kind"].any():
        del unread["kind"]
    return back


def _cells(given: Any, rows: npt.NDArray[np.int64]) -> list[str]:
    cells: Sequence[Any] = given.iloc[rows].tolist() if isinstance(given, pd.Series) else [given[r] for r in rows]
    return [cell if isinstance(cell, str) else "" for cell in cells]


@dataclass(frozen=True)
class Settled:
    """The rows with what was worked out, and the counts for the report."""

    columns: Columns
    days_from_quantity: int
    days_assumed: int
    intervals_assumed: int
    reversed: int
    reversed_nothing: int


def settle(columns: Columns, patient: npt.NDArray[np.int32]) -> Settled:
    """Days and doses that quantity, strength and dose give, and each reversal with the values of the supply that it
    undoes. ``columns`` are typed, with both clocks filled in, rows in any order.
    """
    columns = dict(columns)
    worked_out = _days_and_doses(columns)
    reversals = np.flatnonzero(columns["status"] == REVERSED)
    matched = _match(columns, patient, reversals)
    if matched:
        for name, values in columns.items():
            if name not in _OWN:
                columns[name] = values.copy()
                columns[name][list(matched)] = values[list(matched.values())]
    live = (columns["status"] != REVERSED) & (columns["status"] != PLANNED)
    silent, injection = days_not_recorded(columns) & live, injections(columns)
    return Settled(
        columns,
        int((worked_out & live).sum()),
        int((silent & ~injection).sum()),
        int((silent & injection).sum()),
        len(reversals),
        len(reversals) - len(matched),
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


def _match(columns: Columns, patient: npt.NDArray[np.int32], reversals: npt.NDArray[np.int64]) -> dict[int, int]:
    """The supply that each reversal undoes: of the same person, medicine and kind, on its day or the latest before it,
    of the same amounts where both state them, and known by then. Each supply is undone once, the latest first."""
    found: dict[int, int] = {}
    if not len(reversals):
        return found
    of_people = np.flatnonzero(np.isin(patient, patient[reversals]))
    day, known = columns["supplied_on"], columns["known_on"]
    others = of_people[(columns["status"][of_people] != REVERSED) & (columns["status"][of_people] != PLANNED)]
    others = others[np.argsort(patient[others], kind="stable")]
    begins, ends = (np.searchsorted(patient[others], patient, side) for side in ("left", "right"))
    taken: set[int] = set()
    for row in sorted(reversals.tolist(), key=lambda r: (day[r], known[r], *_stated(columns, r)), reverse=True):
        fits = others[begins[row] : ends[row]]
        fits = fits[columns["medicine"][fits] == columns["medicine"][row]]
        since = day[row] - day[fits]
        fits = fits[(since >= 0) & (since <= REVERSED_WITHIN_DAYS) & (known[fits] <= known[row])]
        for name in ("kind", "prescriber"):
            told, asked = columns[name][fits], columns[name][row]
            fits = fits[(told == asked) | (told < 0) | (asked < 0)]
        for name in _AMOUNTS:
            told, asked = columns[name][fits], columns[name][row]
            fits = fits[(told == asked) | np.isnan(told) | np.isnan(asked)]
        free = [place for place in fits.tolist() if place not in taken]
        if free:
            found[row] = max(free, key=lambda place: (day[place], known[place], *_stated(columns, place)))
            taken.add(found[row])
    return found


def _stated(columns: Columns, row: int) -> tuple[float, ...]:
    """What tells rows of one day apart whatever order they came in."""
    return tuple(float(np.nan_to_num(columns[name][row], nan=-1)) for name in (*_AMOUNTS, "kind", "route"))


def beside_a_reversal(columns: Mapping[str, Any]) -> Mask:
    """Rows of a person, medicine and day of which something was reversed: one of them that says the same as another and
    became known on another day may be a supply given again, not a row sent twice."""
    back = columns["status"] == REVERSED
    if not back.any():
        return np.zeros(len(back), bool)
    ids = columns["patient_id"].dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    days = np.where(columns["supplied_on"] == NO_DAY, -1, columns["supplied_on"]).astype(np.int64)
    key = pd.MultiIndex.from_arrays([np.asarray(ids), columns["medicine"], days])
    return np.asarray(key.isin(key[back]))
