"""Decides which product a supply is where the name alone does not say it: a brand sold by mouth and as a long-acting
injection, a substance given as a long-acting injection, and a brand of several such injections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.tables import TABLES
from features.reference import MEDICINES
from features.reference.medicines.brand_forms import (
    FORM_NOT_RECORDED,
    LONG_INTERVAL_DAYS,
    BrandOfBothForms,
    amount_in,
    brand_in,
    by_mouth,
)
from features.reference.medicines.long_acting import by_strength, is_of_several, long_acting_of, products

Mask = npt.NDArray[np.bool_]
FORM = "form not recorded"
"""While a table is read: the rows whose form nothing tells."""
_MEDICINES, _ROUTES = (TABLES["supplies"].column(name).values for name in ("medicine", "route"))
_ORAL, _LONG_ACTING, _INJECTION = (_ROUTES.index(one) for one in ("oral", "long_acting_injection", "injection"))


@cache
def _either() -> Mask:
    """By medicine: whether a brand of both forms may be behind it."""
    return np.array([name in by_mouth() for name in _MEDICINES] + [False])


def is_of_both_forms(name: Any, medicine: int) -> bool:
    """Whether a medicine as named may be by mouth or the long-acting injection, or one of several injections, so that
    its row must say."""
    if not isinstance(name, str):
        return False
    return bool(_either()[medicine] and brand_in(name)) or bool(_several()[medicine] and is_of_several(name))


def read_forms(given: Any, columns: dict[str, Any]) -> None:
    """Replaces the medicine by the long-acting injection in the rows that mean it, and marks the rows whose form
    nothing tells. ``given`` is the table as it came."""
    _read_intervals(columns)
    _read_brands(given, columns)
    _read_products(given, columns)


def _read_brands(given: Any, columns: dict[str, Any]) -> None:
    rows = np.flatnonzero(_either()[columns["medicine"]])
    if not len(rows):
        return
    cells = _cells(given, rows)
    brands = {name: brand_in(name) for name in dict.fromkeys(cells) if isinstance(name, str)}
    if not any(brands.values()):
        return
    medicine, untold = columns["medicine"].copy(), np.zeros(len(columns["medicine"]), bool)
    for row, name in zip(rows.tolist(), cells, strict=True):
        brand = brands.get(name)
        if brand is None:
            continue
        injected = _is_injection(brand, name, columns, row)
        untold[row] = injected is None
        if injected:
            medicine[row] = _MEDICINES.index(brand.injection)
    columns["medicine"], columns[FORM] = medicine, untold


def _cells(given: Any, rows: npt.NDArray[np.int64]) -> list[Any]:
    values = given["medicine"]
    return values.iloc[rows].tolist() if isinstance(values, pd.Series) else [values[row] for row in rows]


@cache
def _also_injected() -> Mask:
    """By medicine: whether it is by mouth and the same substance has a long-acting injection."""
    mouth = [one.route == "oral" and one.base in products() for one in MEDICINES.values()]
    return np.array([*mouth, False])


def may_be_a_depot(medicine: int, route: int) -> bool:
    """Whether a row has a medicine by mouth and a route that may make it the long-acting injection."""
    return route in (_LONG_ACTING, _INJECTION) and bool(_also_injected()[medicine])


@cache
def _several() -> Mask:
    """By medicine: whether it is a long-acting injection and its substance has another."""
    return np.array(
        [*(one.is_long_acting_injection and len(products()[one.base]) > 1 for one in MEDICINES.values()), False]
    )


def _read_products(given: Any, columns: dict[str, Any]) -> None:
    """Replaces a substance whose route is a long-acting injection, and a brand of several, by the product that the
    amounts or the interval say. Rows where nothing says it stay as they are."""
    injected = (columns["route"] == _LONG_ACTING) | (columns["route"] == _INJECTION)
    by_route = injected & _also_injected()[columns["medicine"]]
    rows = np.flatnonzero(by_route | _several()[columns["medicine"]])
    if not len(rows):
        return
    medicine = columns["medicine"].copy()
    for row, name in zip(rows.tolist(), _cells(given, rows), strict=True):
        if not isinstance(name, str) or not (by_route[row] or is_of_several(name)):
            continue
        amounts = (columns["dose_mg"][row], columns["strength_mg"][row], amount_in(name))
        base = MEDICINES[_MEDICINES[medicine[row]]].base
        if columns["route"][row] == _INJECTION:  # it may be a short-acting one, unless its strength says otherwise
            told = {by_strength(base, float(mg)) for mg in amounts} - {None}
            product = told.pop() if len(told) == 1 else None
        else:
            product = long_acting_of(base, map(float, amounts), float(columns["interval_days"][row]))
        if product is not None:
            medicine[row] = _MEDICINES.index(product)
    columns["medicine"] = medicine


def _read_intervals(columns: dict[str, Any]) -> None:
    """Reads the route of a row without one, or with an injection, from its interval: nobody takes tablets once a week
    or less, and no short-acting injection is given so seldom."""
    daily = (columns["daily_dose_mg"] > 0) | (columns["units_a_day"] > 0)
    silent = (columns["route"] < 0) | (columns["route"] == _INJECTION)
    seldom = (columns["interval_days"] >= LONG_INTERVAL_DAYS) & silent & ~daily
    seldom &= _also_injected()[columns["medicine"]]
    if seldom.any():
        columns["route"] = np.where(seldom, np.int16(_LONG_ACTING), columns["route"])


def _is_injection(brand: BrandOfBothForms, name: str, columns: Mapping[str, Any], row: int) -> bool | None:
    """Whether a row is the long-acting injection: by its route, then its interval, then its doses; None if nothing
    tells."""
    route, interval = int(columns["route"][row]), columns["interval_days"][row]
    if route == _LONG_ACTING or (route == _INJECTION and brand.any_injection_is_long_acting):
        return True
    if route == _ORAL:
        return False
    if interval >= LONG_INTERVAL_DAYS:
        return True
    amounts = (columns["dose_mg"][row], columns["strength_mg"][row], amount_in(name))
    told = {brand.by_amount(float(mg)) for mg in amounts} - {None}
    if len(told) == 1:
        return told.pop()
    if not told and (columns["daily_dose_mg"][row] > 0 or columns["units_a_day"][row] > 0):
        return False
    return None


def forms_not_recorded(columns: dict[str, Any]) -> list[tuple[str, Mask, str]]:
    """The rows that ``read_forms`` marked."""
    untold = columns.pop(FORM, None)
    return [] if untold is None or not untold.any() else [("medicine", untold, FORM_NOT_RECORDED)]
