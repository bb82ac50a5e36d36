"""Columns as given into typed columns, with a mask of the values that could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import FIRST_DAY, LAST_REAL_DAY, NO_DAY
from features.records.kernels import any_outside
from features.records.loading.checks import Mask
from features.records.loading.merged_people import COLUMN as REPLACED_BY
from features.records.problems import TableReport
from features.records.reading.files import TableFile
from features.records.reading.given import Given, OneValue, rows_of
from features.records.reading.nhs_numbers import hold_no_number, text_without_numbers, without_numbers
from features.records.reading.parsing import empty, ids_among, parse, read_date_column
from features.records.reading.results import read_results
from features.records.same_event.supply_rows import read_supplies
from features.records.table import FEW, words_of
from features.records.tables import Column, TableSpec
from features.reference.words import UNKNOWN, circumstance_kind, circumstance_value

CODED = {("conditions", "system"), ("conditions", "code")}
"""Texts whose digits are codes."""


@dataclass
class ParsedTable:
    """``unread`` has a mask for each column with values that could not be read; ``header`` marks repeated header lines
    within the table; ``replaced_by`` is that column of the patients table; ``one_id`` is the only id of the table,
    where it was given as one."""

    columns: dict[str, Any]
    unread: dict[str, Mask]
    header: Mask | None = None
    replaced_by: Any = None
    one_id: str | None = None


def new_report(spec: TableSpec, given: Given) -> TableReport:
    """The report of a table that was given: its rows, and columns that are absent or not known."""
    return TableReport(
        read=rows_of(given),
        absent_columns=tuple(name for name in spec.names if name not in given),
        unknown_columns=tuple(
            without_numbers(str(c))
            for c in given
            if c not in spec.names and (spec.name, c) != ("patients", REPLACED_BY)
        ),
    )


def parse_table(spec: TableSpec, given: Given, report: TableReport) -> ParsedTable:
    """One table as typed columns. Releases the columns of a file once they are parsed."""
    table = ParsedTable({}, {})
    columns, unread = table.columns, table.unread
    for column in spec.columns:
        if column.name not in given or not report.read:
            columns[column.name] = empty(column, report.read)
            continue
        if column.kind == "date":
            columns[column.name], bad, zoned = read_date_column(given[column.name])
            if zoned:
                report.note(f"{column.name}: {zoned:,} times with an offset; the day is the day in Europe/London")
        else:
            columns[column.name], bad = parse(column, given[column.name])
        if bad is not None and bad.any():
            unread[column.name] = bad
        text = column.kind == "text" and (spec.name, column.name) not in CODED
        if text and not hold_no_number(given[column.name]):
            columns[column.name], numbers = text_without_numbers(columns[column.name])
            if numbers:
                report.note(f"{column.name}: NHS numbers blanked in {numbers:,} texts")
        if column.kind == "date" and not column.required and spec.name != "patients":
            _drop_sentinels(column.name, columns, report)
    if spec.name == "results":
        read_results(given, columns, unread, report)
    if spec.name == "circumstances":
        unread |= _read_words(columns)
    if spec.name == "supplies":
        read_supplies(given, columns, unread)
    if spec.name == "patients" and REPLACED_BY in given:
        table.replaced_by, _ = parse(Column(REPLACED_BY, "id"), given[REPLACED_BY])
    key = key_of(spec)
    named = given[key] if key else ()
    ids = None if isinstance(named, pd.Series) else ids_among(named)
    if key and (ids is None or key in ids) and pc.any(pc.equal(columns[key], key)).as_py():
        table.header = np.asarray(pc.equal(columns[key], key).fill_null(False).to_numpy(zero_copy_only=False))
    if key == "patient_id" and ids is not None and type(named) is OneValue:
        (table.one_id,) = ids
    if type(given) is not dict and isinstance(given, TableFile):
        given.let_go()
    return table


def key_of(spec: TableSpec) -> str:
    """The id that marks a repeated header line within a table: its cell holds the column's own name."""
    names = spec.names
    return next((name for name in ("patient_id", "team_id") if name in names), "")


def _drop_sentinels(name: str, columns: dict[str, Any], report: TableReport) -> None:
    """Reads placeholder dates (1800-01-01, 1900-01-01, 9999-12-31) as missing, and counts them."""
    days = columns[name]
    if not any_outside(days, FIRST_DAY, LAST_REAL_DAY):
        return
    sentinel = (days != NO_DAY) & ((days < FIRST_DAY) | (days > LAST_REAL_DAY))
    columns[name] = np.where(sentinel, np.int32(NO_DAY), days)
    report.note(f"{name}: {int(sentinel.sum()):,} dates that stand for none (before 1900-01-02, from 2099)")


def _read_words(columns: dict[str, Any]) -> dict[str, Mask]:
    """Reads circumstances in the words of ``words.csv``; a value that is not understood, or means "not known", is
    unread.
    """
    if len(columns["kind"]) <= FEW:
        return _read_few_words(columns)
    kinds = _mapped(columns["kind"], circumstance_kind)
    kind_codes, kind_words = words_of(kinds)
    value_codes, value_words = words_of(columns["value"])
    columns["kind"] = kinds
    pair = kind_codes.astype(np.int64) * (len(value_words) + 1) + value_codes
    both = (kind_codes >= 0) & (value_codes >= 0)
    keys, place = np.unique(pair[both], return_inverse=True)
    meant = [
        circumstance_value(kind_words[key // (len(value_words) + 1)], value_words[key % (len(value_words) + 1)])
        for key in keys.tolist()
    ]
    lost = np.zeros(len(pair), dtype=bool)
    lost[both] = np.array([one is None or one == UNKNOWN for one in meant], bool)[place]
    if len(keys):
        spelled = np.full(len(pair), len(meant), np.int64)
        spelled[both] = place
        columns["value"] = pa.array([*meant, None], pa.string()).take(pa.array(spelled))
    return {"value": lost} if lost.any() else {}


def _read_few_words(columns: dict[str, Any]) -> dict[str, Mask]:
    """The same for few rows, without arrays of words."""
    kinds = [kind and circumstance_kind(kind) for kind in columns["kind"].to_pylist()]
    values = columns["value"].to_pylist()
    meant = [
        kind is not None and value is not None and circumstance_value(kind, value)
        for kind, value in zip(kinds, values, strict=True)
    ]
    columns["kind"] = pa.array(kinds, pa.string())
    if any(one is not False for one in meant):
        columns["value"] = pa.array([None if one is False else one for one in meant], pa.string())
    lost = np.array([one is None or one == UNKNOWN for one in meant], bool)
    return {"value": lost} if lost.any() else {}


def _mapped(text: pa.Array, meaning: Callable[[str], str]) -> pa.Array:
    """Text with each word replaced by its meaning."""
    codes, words = words_of(text)
    meant = [meaning(word) for word in words]
    if meant == words:
        return text
    return pa.array([*meant, None], pa.string()).take(pa.array(np.where(codes < 0, len(words), codes)))
