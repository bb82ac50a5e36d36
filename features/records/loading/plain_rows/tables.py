"""The plain tables of a person: found, read, sorted, and made into arrays together."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from features.records.loading.plain_rows.cells import Lists, Odd, Readers
from features.records.loading.plain_rows.rules import apply_rules
from features.records.problems import TableReport
from features.records.reading.given import OneValue
from features.records.reading.nhs_numbers import among
from features.records.reading.parsing import DTYPES, ids_among
from features.records.table import Table, empty_table
from features.records.tables import TABLES, Column, TableSpec

MOST_ROWS = 500
"""Of more rows, arrays are faster."""


@dataclass(frozen=True)
class PlainTable:
    """A finished table and its report."""

    table: Table
    report: TableReport


def plain_tables(given: Mapping[str, Any], today: int, delays: Mapping[str, int]) -> tuple[str, dict[str, PlainTable]]:
    """The id of the only person and their plain tables; nothing where there are several people, or the person's own row
    is not plain. ``delays`` stand in for a missing second clock."""
    one = _only_id(given)
    if not one:
        return "", {}
    found: dict[str, tuple[Lists, TableReport]] = {}
    for name, cells in given.items():
        if (lists := _lists_of(name, cells, today, delays)) is not None:
            found[name] = lists
        elif name == "patients":
            return "", {}
    return one, _tables(found)


def _only_id(given: Mapping[str, Any]) -> str:
    """The id of the only person, where every table names them by one value and it is clean; else empty."""
    columns = [table.get("patient_id") for table in given.values() if type(table) is dict]
    ids = [column for column in columns if type(column) is OneValue]
    if len(ids) < len(given) or "patients" not in given or len(given["patients"]["patient_id"]) != 1:
        return ""
    if any(one.value != ids[0].value for one in ids):
        return ""
    (one,) = ids_among(ids[0]) or (None,)
    return "" if one is None or one == "patient_id" or among((one,)) else one


def _lists_of(
    name: str, given: Mapping[str, Sequence[Any]], today: int, delays: Mapping[str, int]
) -> tuple[Lists, TableReport] | None:
    """One table as checked lists in their order, and its report; None where it is not plain."""
    rows = len(given["patient_id"])
    if not 0 < rows <= MOST_ROWS or set(map(len, given.values())) != {rows}:
        return None
    try:
        plan = Readers.of(name, tuple(given))
        lists = plan.read(given, rows, today)
        report = TableReport(read=rows, kept=rows, absent_columns=plan.absent)
        apply_rules(plan.spec, lists, report, today, delays.get(name, 0))
    except Odd:
        return None
    return _in_order(plan.spec, lists), report


def _in_order(spec: TableSpec, lists: Lists) -> Lists:
    """The lists by day, known day and content (:func:`features.records.same_event.versions.in_one_order`)."""
    keys: list[Any] = list(zip(lists[spec.event_day or "known_on"], lists["known_on"], strict=True))
    if all(map(operator.lt, keys, islice(keys, 1, None))):
        return lists
    counts = Counter(keys)
    tied = [row for row, clocks in enumerate(keys) if counts[clocks] > 1]
    names = (name for name in sorted(lists) if name not in (spec.event_day, "known_on"))
    content = zip(*(_sorting(spec.column(name), lists[name], tied) for name in names), strict=True)
    for row, said in zip(tied, content, strict=False):
        keys[row] = (*keys[row], *said)
    if all(map(operator.le, keys, islice(keys, 1, None))):
        return lists
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return {name: [values[row] for row in order] for name, values in lists.items()}


def _sorting(column: Column, every: Sequence[Any], rows: Sequence[int]) -> Sequence[Any]:
    """The values of some rows in a form that sorts, what is missing last."""
    values = [every[row] for row in rows]
    if column.kind == "number":
        return [math.inf if one != one else one for one in values]
    if column.kind in ("id", "text"):
        return [(one is None, one or "") for one in values]
    return values


def _tables(found: Mapping[str, tuple[Lists, TableReport]]) -> dict[str, PlainTable]:
    """The tables of one person: the values of one kind of all of them lie in one array, of which each column is a
    part."""
    every: dict[str, list[Any]] = {kind: [] for kind in (*DTYPES, "text")}
    for name, (lists, _) in found.items():
        for column, kind in _kinds(name):
            every[kind] += lists[column]
    arrays = {kind: np.array(every[kind], dtype) for kind, dtype in DTYPES.items()}
    arrays["text"] = pa.array(every["text"], pa.string())
    begins = dict.fromkeys(every, 0)
    tables = {}
    for name, (_, report) in found.items():
        columns, rows = {}, report.read
        for column, kind in _kinds(name):
            first = begins[kind]
            last = begins[kind] = first + rows
            columns[column] = arrays[kind][first:last]
        offsets = np.array((0, rows), np.int64)
        tables[name] = PlainTable(Table(TABLES[name], columns, np.zeros(rows, np.int32), offsets), report)
    return tables


@cache
def _kinds(table: str) -> tuple[tuple[str, str], ...]:
    """The columns of a table, without the person, and the kind of array that each is part of."""
    return tuple((one.name, "text" if one.kind == "id" else one.kind) for one in TABLES[table].columns[1:])


@cache
def nothing_in(table: str) -> Table:
    """A table in which one person has no row."""
    return empty_table(TABLES[table], 1)


__all__ = ["PlainTable", "nothing_in", "plain_tables"]
