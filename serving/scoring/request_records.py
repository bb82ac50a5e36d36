"""The records of a request, and which of its rows were set aside."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from features import Records
from features.records import TABLES
from features.records.reading.given import OneValue
from features.records.tables import TableSpec
from serving.scoring.schemas import PersonIn, SetAsideRow

Begins = dict[str, list[tuple[int, str, int]]]
"""For each table where the rows of each person begin: (first position, patient, count)."""


def records_of(people: Sequence[PersonIn], today: dt.date) -> tuple[Records, Begins]:
    """Records of a request, and where the rows of each person begin.

    What nobody sent is left out, because there is nothing to check: a table without a row, an optional column without
    a value. Both read as empty.
    """
    columns: dict[str, dict[str, Sequence[Any]]] = {}
    positions: Begins = {}
    for name, spec in TABLES.items():
        if not spec.per_patient:
            continue
        begins = positions.setdefault(name, [])
        cells: list[dict[str, Any]] = []
        ids: list[str] = []
        for person in people:
            rows = person.rows(name)
            begins.append((len(cells), person.pseudonym, len(rows)))
            cells += rows
            ids += [person.pseudonym] * len(rows)
        if cells:
            one = OneValue(ids[0], len(ids)) if len(people) == 1 else ids
            columns[name] = {"patient_id": one, **_sent(cells, spec)}
    return Records.from_columns(columns, today=today), positions


def _sent(rows: Sequence[dict[str, Any]], spec: TableSpec) -> dict[str, Sequence[Any]]:
    """The columns of some rows in which something was sent or must be; true or false in place of a number is kept and
    not read as 1 or 0."""
    found: dict[str, Sequence[Any]] = {}
    cells = _by_column(rows, spec)
    for column in spec.columns[1:]:
        name = column.name
        values = cells.get(name)
        if values is None:
            if column.required:
                found[name] = (None,) * len(rows)
            continue
        if not column.required and values[0] is None and values.count(None) == len(rows):
            continue
        if column.kind == "number" and bool in set(map(type, values)):
            values = [str(value) if isinstance(value, bool) else value for value in values]
        found[name] = values
    return found


def _by_column(rows: Sequence[dict[str, Any]], spec: TableSpec) -> Mapping[str, Sequence[Any]]:
    """The cells of rows by column. The rows of one program all name the same columns in the same order."""
    names = set(map(tuple, rows))
    if len(names) == 1:
        return dict(zip(names.pop(), zip(*map(dict.values, rows), strict=True), strict=True))
    return {name: [row.get(name) for row in rows] for name in spec.names}


def set_aside(records: Records, positions: Begins) -> dict[str, list[SetAsideRow]]:
    """Rows set aside, by person, with their position in that person's list."""
    out: dict[str, list[SetAsideRow]] = {}
    if not records.set_aside:
        return out
    starts = {table: [first for first, _, _ in begins] for table, begins in positions.items()}
    for aside in records.set_aside:
        first, patient, _ = positions[aside.table][bisect_right(starts[aside.table], aside.row) - 1]
        found = SetAsideRow(table=aside.table, row=aside.row - first, column=aside.column, reason=aside.reason)
        out.setdefault(patient, []).append(found)
    for rows in out.values():
        rows.sort(key=lambda aside: (aside.table, aside.row, aside.column))
    return out
