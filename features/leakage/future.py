"""The parts of a record that lie at or after a date: rows by event day or ``known_on``, and late parts of known rows.

``patients`` has no event day. Its ``known_on`` is the clock of ``died_on`` (features/engine/caseload.py reads it so):
a row rewritten after a death must not hide the birth date in the months before it. Birth date, sex and the other
columns of ``patients`` have no day and are left unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.records import Records
from features.records.days import NO_DAY
from features.records.table import Table
from features.records.tables import TABLES

Bools = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

PLANNED = TABLES["contacts"].column("outcome").values.index("planned")
BLANK: dict[str, dict[str, int]] = {
    "contacts": {"outcome": PLANNED, "outcome_known_on": NO_DAY},
    "referrals": {"closed_on": NO_DAY, "close_reason": -1, "closed_known_on": NO_DAY},
    "stays": {"discharged_on": NO_DAY, "discharge_known_on": NO_DAY},
    "patients": {"died_on": NO_DAY, "known_on": NO_DAY},
}
"""What the columns of a late part hold before it is known."""
_ENDS = {"referrals": ("closed_on", "closed_known_on"), "stays": ("discharged_on", "discharge_known_on")}
EVENT_TABLES = tuple(name for name, spec in TABLES.items() if spec.event_day)


@dataclass(frozen=True)
class Variant:
    """Records with another future. ``origin[table]`` is the row's position in the original records; ``rows`` and
    ``parts`` count the changed rows and late parts by table.
    """

    records: Records
    origin: Mapping[str, Int]
    rows: Mapping[str, int]
    parts: Mapping[str, int]


def future_rows(table: Table, as_of: int) -> Bools:
    """Rows whose event day or ``known_on`` is at or after the day (a missing day is after every day). An appointment
    that was booked before the day is known, though it lies ahead; its outcome is a late part.
    """
    day, known = table.columns[table.spec.event_day or ""], table.columns["known_on"]
    ahead = day >= as_of
    if table.spec.name == "contacts":
        ahead &= table.columns["booked_on"] >= as_of
    return np.asarray(ahead | (known >= as_of))


def late_parts(table: Table, as_of: int) -> Bools:
    """Rows whose late part (:data:`BLANK`) had not happened, or was not known, before the day. For rows that were
    themselves known.
    """
    columns, name = table.columns, table.spec.name
    if name == "contacts":
        return np.asarray(columns["outcome_known_on"] >= as_of)
    if name == "patients":
        told = columns["known_on"]
        return np.asarray((columns["died_on"] >= as_of) | ((told >= as_of) & (told != NO_DAY)))
    end, told = (columns[column] for column in _ENDS[name])
    return np.asarray((end >= as_of) | (told >= as_of))


def holds_something(table: Table) -> Bools:
    """Rows whose late part holds a value: an outcome, a closure, a discharge, a death."""
    (column, blank), *_ = BLANK[table.spec.name].items()
    return np.asarray(table.columns[column] != blank)


def blanked(table: Table, rows: Bools) -> dict[str, Any]:
    """The columns of ``table`` with the late part of ``rows`` blanked."""
    changed = {
        column: np.where(rows, np.asarray(value, table.columns[column].dtype), table.columns[column])
        for column, value in BLANK[table.spec.name].items()
    }
    return {**table.columns, **changed}


def deleted(records: Records, as_of: int) -> Variant:
    """The records as they were at 00:00 of the day, without anything that happened or became known later.

    Of the versions of a row, those that became known later are removed. A version that moved an appointment to a day
    ahead stays: the move was known.
    """
    tables, origin, rows, parts = dict(records.tables), {}, {}, {}
    for name, table in records.tables.items():
        if name in BLANK:
            late = late_parts(table, as_of)
            if name in EVENT_TABLES:
                late &= ~future_rows(table, as_of)
            parts[name] = int((late & holds_something(table)).sum())
            table = Table(table.spec, blanked(table, late), table.patient, table.offsets)
        if name in EVENT_TABLES:
            gone = future_rows(table, as_of)
            kept = np.flatnonzero(~gone)
            rows[name], origin[name] = int(gone.sum()), kept
            table = table.take(kept, table.patient[kept], len(records))
        tables[name] = table
    versions = {}
    for name, one in records.versions.items():
        late, known = late_parts(one.table, as_of), one.table.columns["known_on"] < as_of
        parts[name] += int((late & known & holds_something(one.table)).sum())
        rows[name] += int((~known).sum())
        table = Table(one.table.spec, blanked(one.table, late), one.table.patient, one.table.offsets)
        kept = np.flatnonzero(known)
        versions[name] = replace(one, table=table.take(kept, table.patient[kept], len(records)))
    unread = records.unread.before(as_of)
    return Variant(
        Records(records.patient_ids, tables, records.about, unread=unread, versions=versions), origin, rows, parts
    )
