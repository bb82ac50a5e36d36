"""Rows that were set aside, each with its reason and its values as given, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.loading.checks import Finding
from features.records.loading.findings import drops_row
from features.records.problems import LoadReport, SetAside
from features.records.reading.column_table import ColumnTable
from features.records.reading.files import TableFile
from features.records.reading.given import Given, as_json, given_rows
from features.records.tables import TableSpec

_COLUMNS = ("table", "row", "column", "reason", "values")


class Quarantine:
    """The rows set aside by one load. It lives as long as the records, so it holds its own copy of the values."""

    def __init__(self) -> None:
        self.rows: list[SetAside] = []
        self._values: list[str | Mapping[str, Any]] = []

    def set_aside(
        self, spec: TableSpec, given: Given, findings: list[Finding], load: LoadReport
    ) -> npt.NDArray[np.int64]:
        """Adds the rows of a table's findings and counts them in the report. Returns the rows that are kept."""
        report = load.tables[spec.name]
        if not findings:
            report.kept = report.read
            return np.arange(report.read)
        dropped = np.zeros(report.read, dtype=bool)
        for finding in findings:
            column, rows, reason = finding
            if drops_row(finding):
                dropped |= rows
            load.reasons.setdefault(spec.name, {})[f"{column}: {reason}"] = int(rows.sum())
            places = np.flatnonzero(rows)
            self.rows += [SetAside(spec.name, row, column, reason) for row in places.tolist()]
            self._values += _as_given(given, places)
        report.set_aside = int(dropped.sum())
        report.kept = report.read - report.set_aside
        return np.flatnonzero(~dropped)

    def frame(self) -> pd.DataFrame:
        """Rows set aside: table, row position, column, reason, and the row as given (JSON)."""
        rows = [
            (s.table, s.row, s.column, s.reason, v if isinstance(v, str) else as_json(v))
            for s, v in zip(self.rows, self._values, strict=True)
        ]
        frame = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"row": "int64"})
        return frame if rows else frame.astype({"table": "str", "reason": "str"})


def _as_given(given: Given, rows: npt.NDArray[np.int64]) -> list[str | Mapping[str, Any]]:
    """Rows as JSON. Rows of a request are not converted, because its quarantine is rarely read."""
    values = given_rows(given, rows, [str(column) for column in given])
    as_lists = not isinstance(given, pd.DataFrame | TableFile | ColumnTable)
    return list(values) if as_lists else [as_json(row) for row in values]
