"""Reads the reference tables. An unreadable row stops the program with an error that names it: no clinical rule is
skipped silently.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from features.errors import UpstreamError

FOLDER = Path(__file__).parent


class ReferenceTableError(UpstreamError, ValueError):
    """A reference table cannot be used. The message names the file, the row's id and the field."""


def read_rows(name: str, folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """Rows of ``<folder>/<name>.csv`` as written, blanks kept as empty strings."""
    path = folder / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if None in row or None in row.values():
                first = next(iter(row.values()))
                raise ReferenceTableError(
                    f"{path.name}: row {first}: wrong number of fields; quote fields that hold commas"
                )
            yield row


def is_unverified(source: str) -> bool:
    """Whether a row's source must still be checked against the document it names (docs/clinical.md section 7)."""
    return "unverified" in source.lower()


def number(row: dict[str, str], field: str, table: str) -> float | None:
    """The number in ``field``, or None if it is blank."""
    text = row[field].strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        key = next(iter(row.values()))
        raise ReferenceTableError(f"{table}.csv: row {key}: field {field} must be a number or blank") from None


def days(row: dict[str, str], field: str, table: str) -> int | None:
    """The whole number of days in ``field``, or None if it is blank."""
    value = number(row, field, table)
    if value is None:
        return None
    if value != int(value):
        key = next(iter(row.values()))
        raise ReferenceTableError(f"{table}.csv: row {key}: field {field} must be whole days")
    return int(value)
