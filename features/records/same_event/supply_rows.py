"""Reads the kind, status and amounts of rows of ``supplies`` as received, and marks rows without a length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY
from features.records.same_event.brand_rows import read_forms
from features.records.table import codes_among
from features.records.tables import TABLES
from features.reference import MEDICINES
from features.reference.medicines.injections import INJECTION_COURSES
from features.reference.medicines.medicine_names import strength_mg_in
from features.reference.words import meanings, plain_word

Mask = npt.NDArray[np.bool_]
Columns = dict[str, Any]

USUAL_SUPPLY_DAYS = 28
"""A supply that does not say how long it lasts is taken to last four weeks, the usual length in England [D]."""
TAKEN_BACK = "taken back"
"""While a table is read: the rows whose number of days or quantity is below 0."""
_SPEC = TABLES["supplies"]
_STATUSES = _SPEC.column("status").values
REVERSED, NOT_GIVEN, PART_RETURNED = (_STATUSES.index(one) for one in ("reversed", "not_given", "part_returned"))
_PRESCRIBED = _SPEC.column("kind").values.index("prescribed")
ADMINISTERED = _SPEC.column("kind").values.index("administered")
LONG_ACTING = _SPEC.column("route").values.index("long_acting_injection")


def injections(columns: Mapping[str, Any]) -> Mask:
    """Which rows are long-acting injections, by the row's route or the medicine's."""
    return np.asarray((columns["route"] == LONG_ACTING) | long_acting()[columns["medicine"]])


@cache
def long_acting() -> Mask:
    return np.array([medicine.is_long_acting_injection for medicine in MEDICINES.values()])


@cache
def short_acting() -> Mask:
    """By medicine: whether it is an injection given in short courses, which counts as taken when needed."""
    return np.array([*(name in INJECTION_COURSES for name in MEDICINES), False])


@cache
def _takes_back() -> Mask:
    return codes_among(_SPEC, "status", ("reversed", "not_given", "part_returned"))


def takes_back(columns: Mapping[str, Any]) -> Mask:
    """Which rows undo a supply, or a part of one."""
    return np.asarray(_takes_back()[columns["status"]])


def doses_given(columns: Mapping[str, Any], injection: Mask) -> Mask:
    """Which rows are single doses that somebody gave: administered, and no long-acting ``injection``."""
    return np.asarray((columns["kind"] == ADMINISTERED) & ~injection)


def days_not_recorded(columns: Mapping[str, Any]) -> Mask:
    """Mask of rows without a length. They get the product's usual interval or four weeks. An administered single dose
    lasts one day, which is not an assumption.
    """
    injection = injections(columns)
    length = np.where(injection, columns["interval_days"], columns["days_supplied"])
    return np.isnan(length) & ~doses_given(columns, injection)


def read_supplies(given: Any, columns: Columns, unread: dict[str, Mask]) -> None:
    """Reads reversals out of a negative quantity or number of days, a status out of words among the kinds, and the
    strength out of a product's name where a quantity needs it. ``given`` is the table as it came. Changes ``columns``
    and ``unread``."""
    back = (columns["quantity"] < 0) | _negative_days_of_a_supply(columns)
    if "kind" in unread:
        _read_kinds(given["kind"], columns, unread)
    if back.any():
        columns[TAKEN_BACK] = back
        for name in ("quantity", "days_supplied"):
            columns[name] = np.where(back, np.abs(columns[name]), columns[name])
        columns["status"] = np.where(back, np.int16(REVERSED), columns["status"])
    read_forms(given, columns)
    short = short_acting()[columns["medicine"]]
    if short.any():  # no regular treatment, whatever the row says
        columns["as_required"] = np.where(short, columns["as_required"].dtype.type(1), columns["as_required"])
    wanting = np.flatnonzero(~np.isnan(columns["quantity"]) & np.isnan(columns["strength_mg"]))
    if len(wanting):
        named = _cells(given["medicine"], wanting)
        found = {name: strength_mg_in(name) for name in dict.fromkeys(named)}
        columns["strength_mg"] = columns["strength_mg"].copy()
        columns["strength_mg"][wanting] = [found[name] for name in named]


def _negative_days_of_a_supply(columns: Columns) -> Mask:
    """Rows with as many days below 0 as another row of the person and medicine has above: a reversal. Any other
    negative number is a mistake and is set aside.
    """
    below = columns["days_supplied"] < 0
    if not below.any():
        return below
    ids = columns["patient_id"].dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    key = pd.MultiIndex.from_arrays([np.asarray(ids), columns["medicine"], np.abs(columns["days_supplied"])])
    return below & np.asarray(key.isin(key[~below]))


def _read_kinds(given: Any, columns: Columns, unread: dict[str, Mask]) -> None:
    """Reads words such as "refused" and "returned" among the kinds as the status that they are. Any other unknown
    word counts as the weakest kind, because it does not show that the medicine was handed over or given.
    """
    rows = np.flatnonzero(unread["kind"])
    words = meanings("status")
    meant = np.array([_NO_SUPPLY.get(words.get(plain_word(word), ""), -1) for word in _cells(given, rows)], np.int16)
    found = rows[meant >= 0]
    columns["status"], columns["kind"] = columns["status"].copy(), columns["kind"].copy()
    columns["status"][found] = meant[meant >= 0]
    columns["kind"][rows[meant < 0]] = _PRESCRIBED
    unread["kind"][found] = False
    if not unread["kind"].any():
        del unread["kind"]


_NO_SUPPLY = {word: place for place, word in enumerate(_STATUSES) if word != "supplied"}


def _cells(given: Any, rows: npt.NDArray[np.int64]) -> list[str]:
    cells: Sequence[Any] = given.iloc[rows].tolist() if isinstance(given, pd.Series) else [given[r] for r in rows]
    return [cell if isinstance(cell, str) else "" for cell in cells]


def beside_a_reversal(columns: Mapping[str, Any]) -> Mask:
    """Rows of a person, medicine and day of which something was reversed: one of them that says the same as another and
    became known on another day may be a supply given again, not a row sent twice."""
    back = takes_back(columns)
    if not back.any():
        return np.zeros(len(back), bool)
    ids = columns["patient_id"].dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    days = np.where(columns["supplied_on"] == NO_DAY, -1, columns["supplied_on"]).astype(np.int64)
    key = pd.MultiIndex.from_arrays([np.asarray(ids), columns["medicine"], days])
    return np.asarray(key.isin(key[back]))
