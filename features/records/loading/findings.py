"""What a failed check sets aside: the whole row, or only the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.records.loading.checks import VALUE_ONLY, Finding, Mask
from features.records.loading.columns import key_of
from features.records.reading.parsing import empty
from features.records.tables import TABLES, TableSpec

PERSON_KEPT = " (the value was set aside, the person kept)"
HEADER_AGAIN = "the header line again, within the table"
STRANGER = "the patient is not in the patients table"
LOST_ZEROS = f"{STRANGER}; an id with zeros before it is, so the zeros may have been lost"
_WITH_THEIR_ROW = {
    ("results", "value"),
    ("results", "unit"),
    ("circumstances", "value"),
    ("stays", "discharged_on"),
    ("supplies", "status"),
}


def keep_person(columns: dict[str, Any], name: str, rows: Mask, reason: str) -> Finding:
    """Empties a value that cannot be right but keeps the person: a mistyped birth date must not remove a person from
    the caseload.
    """
    if name == "patient_id":
        return name, rows, reason
    columns[name] = np.where(rows, empty(TABLES["patients"].column(name), len(rows)), columns[name])
    return name, rows, f"{reason}{PERSON_KEPT}"


def keep_row(spec: TableSpec, columns: dict[str, Any], name: str, rows: Mask, reason: str) -> Finding:
    """Empties an optional value that cannot be right but keeps its row: a mistyped closing date must not take a person
    off a list. A wrong required value, or the number of a result, sets the row aside. So does a status that is not
    understood, because nobody can say that the medicine was handed over.
    """
    column = spec.column(name)
    if column.required or column.kind in ("id", "text") or (spec.name, name) in _WITH_THEIR_ROW:
        return name, rows, reason
    if name == "days_supplied" and reason.startswith("below"):
        return name, rows, reason
    if (spec.name, name) != ("supplies", "kind"):  # a kind that is not understood was read as the weakest
        columns[name] = np.where(rows, empty(column, len(rows)), columns[name])
    return name, rows, f"{reason}{VALUE_ONLY}"


def drops_row(finding: Finding) -> bool:
    """Whether the finding sets the whole row aside."""
    column, _, reason = finding
    return column == "patient_id" or not reason.endswith((VALUE_ONLY, PERSON_KEPT))


def without_headers(spec: TableSpec, header: Mask | None, findings: list[Finding]) -> list[Finding]:
    """The findings of a table; a repeated header line within the table counts as one finding."""
    if header is None:
        return findings
    return [(key_of(spec), header, HEADER_AGAIN), *except_rows(header, findings)]


def except_rows(header: Mask | None, findings: list[Finding]) -> list[Finding]:
    """The findings that still have rows once repeated header lines are left out."""
    own = [(name, rows if header is None else rows & ~header, reason) for name, rows, reason in findings]
    return [finding for finding in own if finding[1].any()]


def strangers(ids: pa.Array, known: pa.Array, stranger: Mask) -> list[Finding]:
    """Rows of ids that are not ``known`` from the patients table; ids that lost their leading zeros are recognised."""
    stripped = pc.utf8_ltrim(known, "0").filter(pc.starts_with(known, "0"))
    lost = stranger & np.asarray(pc.is_in(ids, stripped).to_numpy(zero_copy_only=False), bool)
    both = (("patient_id", lost, LOST_ZEROS), ("patient_id", stranger & ~lost, STRANGER))
    return [finding for finding in both if finding[1].any()]
