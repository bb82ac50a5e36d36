"""How long a supply lasts, and whether it is a long-acting injection: one rule for coverage, schedules and the
regimen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.jit import jit
from features.kernels.coverage import CARRY_DAYS
from features.records import Records
from features.records.same_event.supplies import OneSupply, one_supply
from features.records.same_event.supply_rows import ADMINISTERED, USUAL_SUPPLY_DAYS, days_not_recorded, injections
from features.reference import MEDICINES


def lengths_of(records: Records) -> npt.NDArray[np.int32]:
    """How many days each supply lasts: days supplied, an injection's interval, the product's usual interval, a day for
    a single dose that was given, or four weeks."""
    return records.once("supply lengths", lambda: lengths(records.columns("supplies"), is_injection(records)))


def lengths(columns: Mapping[str, Any], injection: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """The same of the columns of any rows of ``supplies``, of which some are a long-acting ``injection``."""
    days = np.empty(len(injection), np.int32)
    _last(
        injection,
        columns["interval_days"],
        columns["days_supplied"],
        columns["medicine"],
        columns["kind"],
        _usual_intervals(),
        days,
    )
    return days


@jit(_nrt=False)
def _last(injection, interval, supplied, medicine, kind, usual, days):  # type: ignore[no-untyped-def]
    """Fills in ``days`` how long each supply lasts."""
    for i in range(days.shape[0]):
        x = interval[i] if injection[i] else supplied[i]
        if x != x and injection[i]:
            x = usual[medicine[i]]
        if x != x:
            x = 1.0 if kind[i] == ADMINISTERED and not injection[i] else np.float64(USUAL_SUPPLY_DAYS)
        days[i] = np.int32(x)


def supplies_once(records: Records) -> OneSupply:
    """Each supply once, even if several rows describe it. Every reader of supplies over time uses this."""
    return records.once("supplies once", lambda: _supplies_once(records))


def _supplies_once(records: Records) -> OneSupply:
    columns, length, injection = records.columns("supplies"), lengths_of(records), is_injection(records)
    dose = np.where(injection, columns["dose_mg"] / np.maximum(length, 1), columns["daily_dose_mg"])
    return one_supply(records.offsets("supplies"), columns, injection, length, dose)


def days_assumed(records: Records) -> npt.NDArray[np.bool_]:
    """Which supplies say nothing of how long they last: their length is the product's usual interval or four weeks."""
    return records.once("days assumed", lambda: days_not_recorded(records.columns("supplies")))


def assumption(injection: bool, days: int) -> str:
    """The words for a supply whose length is not recorded."""
    what = "days between injections" if injection else "days of supply"
    return f"{what} not recorded: {days} days assumed"


def carried_words(until: str) -> str:
    """The words for the day on which supply runs out."""
    return f"by supplies in hand until {until}, counting at most {CARRY_DAYS} days carried over"


def is_injection(records: Records) -> npt.NDArray[np.bool_]:
    """Which supplies are long-acting injections, by the row's route or the medicine's."""
    return records.once("injections", lambda: injections(records.columns("supplies")))


@cache
def _usual_intervals() -> npt.NDArray[np.float64]:
    return np.array([m.lai_usual_interval_days or np.nan for m in MEDICINES.values()])
