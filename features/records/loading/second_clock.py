"""Fills in the second clock where an extract lacks it: applies the usual delay of the table and counts the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.records.days import NO_DAY
from features.records.kernels import holds
from features.records.tables import TableSpec


def second_clock(spec: TableSpec, columns: dict[str, Any], delay: int) -> dict[str, dict[str, int]]:
    """Applies the usual delay if the extract does not say when a row, or its late part, became known.

    Returns for each clock the delay in days and the rows it was applied to.
    """
    if not spec.per_patient or spec.event_day is None:
        return {}
    applied: dict[str, dict[str, int]] = {}
    _delay(applied, spec, columns, "known_on", columns[spec.event_day], delay)
    for late in spec.late:
        base = columns[spec.event_day] if spec.name == "contacts" else columns[late.column]
        _delay(applied, spec, columns, late.known_on, base, late.delay_days)
        if spec.name == "contacts":
            planned = columns["outcome"] == spec.column("outcome").values.index("planned")
            columns[late.known_on] = np.where(planned, np.int32(NO_DAY), columns[late.known_on])
    return applied


def _delay(
    applied: dict[str, dict[str, int]],
    spec: TableSpec,
    columns: dict[str, Any],
    name: str,
    base: npt.NDArray[np.int32],
    delay: int,
) -> None:
    if not holds(columns[name], NO_DAY):
        return
    silent = (columns[name] == NO_DAY) & (base != NO_DAY)
    if spec.name == "contacts":
        silent &= columns["outcome"] != spec.column("outcome").values.index("planned")
        if name == "known_on":
            booked = (columns[name] == NO_DAY) & ~silent & (columns["booked_on"] != NO_DAY)
            columns[name] = np.where(booked, columns["booked_on"], columns[name])
            silent |= (columns[name] == NO_DAY) & (base != NO_DAY)
    if silent.any():
        columns[name] = np.where(silent, base + np.int32(delay), columns[name])
        applied[name] = {"days": delay, "rows": int(silent.sum())}
