"""How long a supply lasts, and whether it is a long-acting injection: one rule for coverage, schedules and the
regimen."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from features.records import Records
from features.records.same_event import OneSupply, one_supply
from features.records.tables import TABLES
from features.reference import MEDICINES

USUAL_SUPPLY_DAYS = 28
"""A supply without a stated length is taken to last four weeks, the usual length in England [D]."""


def lengths_of(records: Records) -> npt.NDArray[np.int32]:
    """Days that each supply lasts: days supplied, an injection's interval, the product's usual interval, or four
    weeks.
    """
    return records.once("supply lengths", lambda: _lengths_of(records))


def _lengths_of(records: Records) -> npt.NDArray[np.int32]:
    columns = records.columns("supplies")
    injection, usual = is_injection(records), _usual_intervals()[columns["medicine"]]
    days = np.where(injection, columns["interval_days"], columns["days_supplied"])
    days = np.where(np.isnan(days) & injection, usual, days)
    return np.where(np.isnan(days), USUAL_SUPPLY_DAYS, days).astype(np.int32)


def supplies_once(records: Records) -> OneSupply:
    """Each supply once, even if several rows describe it. Every reader of supplies over time uses this."""
    return records.once("supplies once", lambda: _supplies_once(records))


def _supplies_once(records: Records) -> OneSupply:
    columns, length, injection = records.columns("supplies"), lengths_of(records), is_injection(records)
    dose = np.where(injection, columns["dose_mg"] / np.maximum(length, 1), columns["daily_dose_mg"])
    return one_supply(records.offsets("supplies"), columns, injection, length, dose)


def days_assumed(records: Records) -> npt.NDArray[np.bool_]:
    """Which supplies state no length, so that it is the product's usual interval or four weeks."""
    columns = records.columns("supplies")
    return np.isnan(np.where(is_injection(records), columns["interval_days"], columns["days_supplied"]))


def is_injection(records: Records) -> npt.NDArray[np.bool_]:
    """Which supplies are long-acting injections, by the row's route or the medicine's."""
    columns = records.columns("supplies")
    code = TABLES["supplies"].column("route").values.index("long_acting_injection")
    return np.asarray((columns["route"] == code) | _injections()[columns["medicine"]])


@cache
def _usual_intervals() -> npt.NDArray[np.float64]:
    return np.array([m.lai_usual_interval_days or np.nan for m in MEDICINES.values()])


@cache
def _injections() -> npt.NDArray[np.bool_]:
    return np.array([m.is_long_acting_injection for m in MEDICINES.values()])
