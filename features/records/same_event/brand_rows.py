"""Decides for each supply under a brand of both forms whether it is by mouth or the long-acting injection."""

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
    """Whether a medicine as named may be by mouth or the long-acting injection, so that its row must say."""
    return bool(_either()[medicine]) and isinstance(name, str) and brand_in(name) is not None


def read_forms(given: Any, columns: dict[str, Any]) -> None:
    """Replaces the medicine by the long-acting injection in the rows that mean it, and marks the rows whose form
    nothing tells. ``given`` is the table as it came."""
    _read_intervals(columns)
    rows = np.flatnonzero(_either()[columns["medicine"]])
    if not len(rows):
        return
    values = given["medicine"]
    cells = values.iloc[rows].tolist() if isinstance(values, pd.Series) else [values[row] for row in rows]
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


@cache
def _also_injected() -> Mask:
    """By medicine: whether it is by mouth and the same substance has a long-acting injection."""
    injected = {one.base for one in MEDICINES.values() if one.is_long_acting_injection}
    mouth = [one.route == "oral" and one.base in injected for one in MEDICINES.values()]
    return np.array([*mouth, False])


def _read_intervals(columns: dict[str, Any]) -> None:
    """Reads the route of a row without one from its interval: nobody takes tablets once a week or less."""
    daily = (columns["daily_dose_mg"] > 0) | (columns["units_a_day"] > 0)
    seldom = (columns["interval_days"] >= LONG_INTERVAL_DAYS) & (columns["route"] < 0) & ~daily
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
