"""Another future: every row and late part at or after a date replaced by a random one that still lies at or after it.

A garbled row takes its columns from a random row of the same table, half the time each column from another row or from
the whole vocabulary, half the time for another person. Its days keep at least one clock at or after the date, and
often exactly on it: leaks are most likely at the edge. The result is as valid as a loaded extract: codes of the
vocabulary, numbers in range, ends after beginnings, rows in order.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.leakage.future import (
    BLANK,
    EVENT_TABLES,
    PLANNED,
    Bools,
    Int,
    Variant,
    blanked,
    future_rows,
    holds_something,
    late_parts,
)
from features.records import Records
from features.records.days import NO_DAY
from features.records.table import Table, take
from features.records.tables import TABLES, Column
from features.reference import TESTS

Days = npt.NDArray[np.int64]
Columns = dict[str, Any]
Random = np.random.Generator
AHEAD_DAYS, BACK_DAYS, LATELY_DAYS = 90, 400, 30
KNOWN_AFTER = ("results", "stays")
"""Tables whose rows cannot be known before they happened (features/records/loading/checks.py)."""
MEANT_FOR = {("circumstances", "value"): "kind"}
"""Columns that are drawn from the same row as another, because a value of one is not valid for the other (a value of
housing is no value of smoking).
"""


def garbled(records: Records, as_of: int, random: Random) -> Variant:
    """The records with everything at or after the day replaced at random. Values and order before it are unchanged."""
    tables, origin, rows, parts = dict(records.tables), {}, {}, {}
    for name, table in records.tables.items():
        if name == "patients":
            late = late_parts(table, as_of)
            parts[name] = int((late & holds_something(table)).sum())
            tables[name] = Table(table.spec, _death(table, late, as_of, random), table.patient, table.offsets)
        if name not in EVENT_TABLES:
            continue
        future = future_rows(table, as_of)
        columns, patient = dict(table.columns), table.patient.copy()
        if name in BLANK:
            late = late_parts(table, as_of) & ~future
            parts[name] = int((late & holds_something(table)).sum())
            columns = _late(name, blanked(table, late), late, as_of, random)
        places = np.flatnonzero(future)
        rows[name] = len(places)
        _replace(table, columns, places, as_of, random)
        patient[places] = _elsewhere(patient[places], random)
        order = np.lexsort((columns["known_on"], columns[table.spec.event_day or ""], patient))
        tables[name] = Table(table.spec, columns, patient, table.offsets).take(order, patient[order], len(records))
        origin[name] = order.astype(np.int64)
    versions = {}
    for name, one in records.versions.items():
        versions[name] = dataclasses.replace(one, table=_garbled_versions(one.table, as_of, random))
        rows[name] += int((one.table.columns["known_on"] >= as_of).sum())
    return Variant(
        Records(records.patient_ids, tables, records.about, unread=records.unread, versions=versions),
        origin,
        rows,
        parts,
    )


def _garbled_versions(table: Table, as_of: int, random: Random) -> Table:
    """Every version that was not known by the day replaced by one that is not known by it either."""
    future = table.columns["known_on"] >= as_of
    late = late_parts(table, as_of) & ~future
    columns, patient = _late(table.spec.name, blanked(table, late), late, as_of, random), table.patient.copy()
    places = np.flatnonzero(future)
    _replace(table, columns, places, as_of, random)
    columns["known_on"] = _put(columns["known_on"], places, np.maximum(columns["known_on"][places], as_of))
    patient[places] = _elsewhere(patient[places], random)
    order = np.lexsort((columns["known_on"], columns[table.spec.event_day or ""], patient))
    people = len(table.offsets) - 1
    return Table(table.spec, columns, patient, table.offsets).take(order, patient[order], people)


def _elsewhere(patient: npt.NDArray[np.int32], random: Random) -> npt.NDArray[np.int32]:
    """Half of the rows reassigned at random among their people."""
    moved = np.flatnonzero(random.random(len(patient)) < 0.5)
    patient[moved] = patient[random.permutation(moved)]
    return patient


def _replace(table: Table, columns: Columns, places: Int, as_of: int, random: Random) -> None:
    """Fills the rows at ``places`` with random ones whose event day or ``known_on`` lies at or after the day."""
    spec, n = table.spec, len(places)
    if not n:
        return
    event_day = spec.event_day or ""
    day, known = _clocks(n, as_of, random)
    if spec.name in KNOWN_AFTER:
        known = np.maximum(known, day)
    donors = random.integers(0, len(table), n)
    alone = random.random(n) < 0.5
    rows: dict[str, Int] = {}
    for column in spec.columns:
        if column.name in ("patient_id", spec.unique) or column.kind == "date":
            continue
        values = table.columns[column.name]
        drawn = rows.get(MEANT_FOR.get((spec.name, column.name), ""))
        if drawn is None:
            drawn = rows[column.name] = np.where(alone, random.integers(0, len(table), n), donors)
        columns[column.name] = _put(columns[column.name], places, _mixed(column, take(values, drawn), alone, random))
    if spec.name == "results":
        _plausible(columns, places[alone], random)
    columns[event_day] = _put(columns[event_day], places, day)
    columns["known_on"] = _put(columns["known_on"], places, known)
    if spec.name == "contacts":
        booked = np.where(random.random(n) < 0.7, day - random.integers(0, 60, n), NO_DAY)
        # An appointment ahead that was known before the day would be no future row: its booking is put from the day on.
        early = (day >= as_of) & (known < as_of) & (booked < as_of)
        booked = np.where(early, as_of + random.integers(0, AHEAD_DAYS, n) % np.maximum(day - as_of + 1, 1), booked)
        columns["booked_on"] = _put(columns["booked_on"], places, booked)
        _outcome_clock(columns, places, _around(n, as_of, random))
    for begun, ended in spec.ends:
        if ended in BLANK.get(spec.name, {}):
            end = columns[begun][places] + random.integers(0, 200, n)
            columns[ended] = _put(columns[ended], places, np.where(random.random(n) < 0.6, end, NO_DAY))
            told = _around(n, as_of, random)
            clock = spec.late[0].known_on
            columns[clock] = _put(columns[clock], places, np.where(columns[ended][places] == NO_DAY, NO_DAY, told))


def _late(name: str, columns: Columns, late: Bools, as_of: int, random: Random) -> Columns:
    """Random late parts that are not known by the day, for the rows in ``late``; a third stay without one."""
    places = np.flatnonzero(late & (random.random(len(late)) < 2 / 3))
    n = len(places)
    if name == "contacts":
        outcomes = len(TABLES[name].column("outcome").values)
        columns["outcome"] = _put(columns["outcome"], places, random.integers(0, outcomes, n))
        _outcome_clock(columns, places, _from(n, as_of, random))
        return columns
    spec = TABLES[name]
    (begun, ended), clock = spec.ends[0], spec.late[0].known_on
    start = columns[begun][places].astype(np.int64)
    past = (random.random(n) < 0.6) & (start < as_of)
    between = start + (random.random(n) * np.maximum(as_of - start, 1)).astype(np.int64)
    end = np.where(past, between, np.maximum(_from(n, as_of, random), start))
    told = np.where(past | (random.random(n) < 0.5), _from(n, as_of, random), _around(n, as_of, random))
    columns[ended] = _put(columns[ended], places, end)
    columns[clock] = _put(columns[clock], places, told)
    if "close_reason" in columns:
        reasons = len(spec.column("close_reason").values)
        columns["close_reason"] = _put(columns["close_reason"], places, random.integers(0, reasons, n))
    return columns


def _death(table: Table, late: Bools, as_of: int, random: Random) -> Columns:
    """Random deaths: on or after the day, or before it and reported later."""
    columns, places = blanked(table, late), np.flatnonzero(late)
    n = len(places)
    died = np.where(random.random(n) < 0.5, _from(n, as_of, random), _before(n, as_of, random))
    born = table.columns["birth_date"][places]
    died = np.where((born != NO_DAY) & (died < born), as_of, died)
    columns["died_on"] = _put(columns["died_on"], places, np.where(random.random(n) < 0.5, died, NO_DAY))
    columns["known_on"] = _put(columns["known_on"], places, _from(n, as_of, random))
    return columns


def _clocks(n: int, as_of: int, random: Random) -> tuple[Days, Days]:
    """Event day and ``known_on``, at least one of them at or after the day."""
    late = random.random(n) < 0.5
    day = np.where(late, _before(n, as_of, random), _from(n, as_of, random))
    known = np.where(late, _from(n, as_of, random), _around(n, as_of, random))
    return day, known


def _from(n: int, as_of: int, random: Random) -> Days:
    """Days at or after the day, a third of them on it."""
    return as_of + np.where(random.random(n) < 1 / 3, 0, random.integers(0, AHEAD_DAYS, n))


def _before(n: int, as_of: int, random: Random) -> Days:
    """Days before the day, half of them in the last month."""
    return as_of - np.where(
        random.random(n) < 0.5, random.integers(1, LATELY_DAYS, n), random.integers(1, BACK_DAYS, n)
    )


def _around(n: int, as_of: int, random: Random) -> Days:
    """Days on either side of the day."""
    return np.where(random.random(n) < 0.5, _before(n, as_of, random), _from(n, as_of, random))


def _plausible(columns: Columns, places: Int, random: Random) -> None:
    """Values anywhere in each test's plausible range, in its own unit; none where the test has no number."""
    tests = list(TESTS.values())
    which = columns["test"][places]
    low = np.array([np.nan if test.low is None else test.low for test in tests])[which]
    high = np.array([np.nan if test.high is None else test.high for test in tests])[which]
    value = low + random.random(len(places)) ** 2 * (high - low)
    units = pa.array([test.unit or None for test in tests], pa.string()).take(pa.array(which))
    columns["value"] = _put(columns["value"], places, value)
    columns["unit"] = _put(columns["unit"], places, pc.if_else(pa.array(np.isnan(value)), None, units))


def _outcome_clock(columns: Columns, places: Int, told: Days) -> None:
    planned = columns["outcome"][places] == PLANNED
    columns["outcome_known_on"] = _put(columns["outcome_known_on"], places, np.where(planned, NO_DAY, told))


def _mixed(column: Column, values: Any, alone: Bools, random: Random) -> Any:
    """Values of other rows. Columns drawn independently also take codes of the whole vocabulary, and numbers
    stretched within their range.
    """
    if column.kind == "code" and column.values:
        return np.where(alone, random.integers(0, len(column.values), len(alone)), values)
    if column.kind == "number":
        stretched = np.where(alone, values * 10 ** random.uniform(-2.0, 0.5, len(alone)), values)
        return np.clip(stretched, column.low, column.high) if column.low is not None else stretched
    return values


def _put(values: Any, places: Int, new: Any) -> Any:
    """``values`` with ``new`` at ``places``, for numpy and pyarrow. The original is unchanged."""
    if isinstance(values, np.ndarray):
        out = values.copy()
        out[places] = np.asarray(new).astype(values.dtype)
        return out
    both = np.arange(len(values), dtype=np.int64)
    both[places] = len(values) + np.arange(len(places))
    joined = pa.concat_arrays([_one(values), _one(new)])
    return joined.take(pa.array(both))


def _one(values: Any) -> Any:
    return values.combine_chunks() if hasattr(values, "combine_chunks") else values
