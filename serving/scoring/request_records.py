"""The records of a request, and which of its rows were set aside."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from features import Records
from features.records import TABLES
from features.records.reading.given import OneValue
from features.records.tables import Column
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
            given = columns[name] = {"patient_id": OneValue(ids[0], len(ids)) if len(people) == 1 else ids}
            sent = _by_column(cells)
            for column in spec.columns[1:]:
                if sent is not None and column.name not in sent and not column.required:
                    continue
                found = _read(sent, cells, column)
                if column.required or found.count(None) < len(cells):
                    given[column.name] = found
    return Records.from_columns(columns, today=today), positions


def _by_column(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]] | None:
    """The cells of rows that all name the same columns in the same order, as the rows of one program do; else None."""
    names = set(map(tuple, rows))
    if len(names) == 1:
        return dict(zip(names.pop(), zip(*map(dict.values, rows), strict=True), strict=True))
    return None


def _read(sent: Mapping[str, Sequence[Any]] | None, rows: Sequence[Mapping[str, Any]], column: Column) -> Sequence[Any]:
    """One column of rows as sent; true or false in place of a number is kept and not read as 1 or 0."""
    name = column.name
    if sent is None:
        found: Sequence[Any] = [row.get(name) for row in rows]
    else:
        found = sent.get(name) or (None,) * len(rows)
    if column.kind == "number" and bool in set(map(type, found)):
        return [str(value) if isinstance(value, bool) else value for value in found]
    return found


def set_aside(records: Records, positions: Begins) -> dict[str, list[SetAsideRow]]:
    """Rows set aside, by person, with their position in that person's list."""
    out: dict[str, list[SetAsideRow]] = {}
    starts = {table: [first for first, _, _ in begins] for table, begins in positions.items()}
    for aside in records.set_aside:
        first, patient, _ = positions[aside.table][bisect_right(starts[aside.table], aside.row) - 1]
        found = SetAsideRow(table=aside.table, row=aside.row - first, column=aside.column, reason=aside.reason)
        out.setdefault(patient, []).append(found)
    for rows in out.values():
        rows.sort(key=lambda aside: (aside.table, aside.row, aside.column))
    return out
