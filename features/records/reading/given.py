"""Reads tables and rows as given, for the quarantine and the person's page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.reading.column_table import ColumnTable
from features.records.reading.files import TableFile
from features.records.reading.nhs_numbers import BLANK, ten_digits, without_numbers


@dataclass(frozen=True)
class OneValue(Sequence[Any]):
    """A column that holds one value in every row, such as the id of the only person of a request: what is asked of a
    column is asked of the value once."""

    value: Any
    rows: int

    def __len__(self) -> int:
        return self.rows

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return OneValue(self.value, len(range(*place.indices(self.rows))))
        if not -self.rows <= place < self.rows:
            raise IndexError(place)
        return self.value


Given = pd.DataFrame | TableFile | ColumnTable | Mapping[str, Sequence[Any]]


def given_rows(given: Given, rows: npt.NDArray[np.int64], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of some rows, as given."""
    out: dict[str, list[Any]] = {}
    for column in columns:
        if column in given and len(rows):
            values = given[column]
            out[column] = values.iloc[rows].tolist() if isinstance(values, pd.Series) else [values[r] for r in rows]
    return [{column: values[i] for column, values in out.items()} for i in range(len(rows))]


def short(value: Any) -> str:
    """A value as a person's page may show it: short, and without an NHS number."""
    return "" if is_missing(value) else without_numbers(str(value)).strip()[:60]


def rows_of(given: Given) -> int:
    """How many rows a table as given has."""
    if type(given) is dict:
        return len(next(iter(given.values()), ()))
    if isinstance(given, pd.DataFrame):
        return len(given)
    if isinstance(given, TableFile | ColumnTable):
        return given.rows
    return len(next(iter(given.values()), ()))


def as_json(values: Mapping[Any, Any]) -> str:
    """A row as given, as JSON, with every NHS number blanked."""
    told = {str(c): None if is_missing(v) else without_numbers(str(v)) for c, v in values.items()}
    if ten_digits(told.get("patient_id") or ""):
        told["patient_id"] = BLANK
    return json.dumps(told, ensure_ascii=False)


def is_missing(value: Any) -> bool:
    """True if a value as given means "no value"."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))
