"""The mapping tables: CSV files that say what an OMOP concept means here. A folder of the same file names replaces any
of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from features.records.problems import RecordsError, RecordsProblem
from features.records.tables import ADMISSION_METHODS, CONTACT_KINDS, MODES, ROUTES, SEX, SUPPLY_KINDS, WARDS

OWN = Path(__file__).parent / "mappings"
Row = dict[str, str]

_COLUMNS: dict[str, tuple[str, ...]] = {
    "ingredients": (
        "vocabulary_id",
        "concept_code",
        "concept_id",
        "concept_name",
        "medicine",
        "intramuscular_medicine",
        "verified",
    ),
    "products": ("vocabulary_id", "concept_code", "concept_id", "medicine", "route", "strength_mg", "dose_basis"),
    "tests": ("vocabulary_id", "concept_code", "concept_id", "test", "verified"),
    "units": ("vocabulary_id", "concept_code", "concept_id", "unit", "verified"),
    "visits": ("concept_id", "table", "mode", "kind", "method", "ward"),
    "observation_periods": ("concept_id", "open_within_days"),
    "drug_types": ("concept_id", "kind"),
    "routes": ("concept_id", "route", "intramuscular", "systemic"),
    "genders": ("concept_id", "sex"),
    "races": ("concept_id", "ethnicity"),
    "conditions": ("vocabulary_id", "concept_code", "category", "group", "patient_column"),
}
_ALLOWED: dict[tuple[str, str], tuple[str, ...]] = {
    ("products", "route"): (*ROUTES, ""),
    ("products", "dose_basis"): ("solid", "injection_unit", ""),
    ("visits", "table"): ("contacts", "stays"),
    ("visits", "mode"): (*MODES, ""),
    ("visits", "kind"): (*CONTACT_KINDS, ""),
    ("visits", "method"): (*ADMISSION_METHODS, ""),
    ("visits", "ward"): (*WARDS, ""),
    ("drug_types", "kind"): SUPPLY_KINDS,
    ("routes", "route"): ROUTES,
    ("genders", "sex"): (*SEX, ""),
    ("conditions", "category"): ("diagnosis",),
    ("conditions", "patient_column"): ("", "learning_disability", "autism"),
}


@dataclass(frozen=True)
class Mappings:
    """Every mapping table as rows of text, blanks kept. ``replaced`` names the tables that are not ours."""

    tables: dict[str, tuple[Row, ...]]
    replaced: tuple[str, ...]

    def __getitem__(self, name: str) -> tuple[Row, ...]:
        return self.tables[name]

    def by_id(self, name: str) -> dict[str, Row]:
        """Rows of a table keyed by concept id alone; the key is blank for "any other"."""
        return {row["concept_id"]: row for row in self.tables[name]}


def load_mappings(folder: str | Path | None = None) -> Mappings:
    """Our mapping tables, each replaced by ``folder/<name>.csv`` where that exists. Raises RecordsError with all
    problems at once."""
    theirs = Path(folder) if folder is not None else None
    problems: list[RecordsProblem] = []
    if theirs is not None and not theirs.is_dir():
        problems.append(
            RecordsProblem("OMOP mappings", f"{theirs} is not a folder", "a folder of mapping CSVs", "check the path")
        )
        theirs = None
    tables: dict[str, tuple[Row, ...]] = {}
    replaced: list[str] = []
    for name in _COLUMNS:
        if theirs is not None and (theirs / f"{name}.csv").is_file():
            tables[name] = tuple(_rows(theirs / f"{name}.csv"))
            replaced.append(name)
        else:
            tables[name] = _own(name)
        problems.extend(_check(name, tables[name]))
    if theirs is not None:
        stray = sorted(file.name for file in theirs.glob("*.csv") if file.stem not in _COLUMNS)
        if stray:
            expected = ", ".join(f"{name}.csv" for name in _COLUMNS)
            problems.append(
                RecordsProblem("OMOP mappings", f"unknown files {', '.join(stray)}", expected, "rename or remove them")
            )
    if problems:
        raise RecordsError(problems)
    return Mappings(tables, tuple(replaced))


@cache
def _own(name: str) -> tuple[Row, ...]:
    """Rows of our own table, read once in a process."""
    return tuple(_rows(OWN / f"{name}.csv"))


def _rows(path: Path) -> Iterable[Row]:
    """Rows of one file; lines that open with # before the header are its explanation."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = file.readlines()
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for row in csv.DictReader(lines[start:]):
        yield {str(key): (value or "").strip() for key, value in row.items()}


def _check(name: str, rows: tuple[Row, ...]) -> Iterable[RecordsProblem]:
    label = f"OMOP mapping {name}.csv"
    if not rows:
        yield RecordsProblem(label, "no rows", "at least one", "restore the file")
        return
    gone = [column for column in _COLUMNS[name] if column not in rows[0]]
    if gone:
        yield RecordsProblem(label, f"no column {', '.join(gone)}", ", ".join(_COLUMNS[name]), "add the column")
        return
    for (table, column), allowed in _ALLOWED.items():
        wrong = [i for i, row in enumerate(rows, 1) if row[column] not in allowed] if table == name else []
        if wrong:
            yield RecordsProblem(
                label,
                f"{column} of row {wrong[0]} is not allowed ({len(wrong)} rows)",
                ", ".join(filter(None, allowed)),
                "correct the row",
            )
    for column in ("concept_id", "strength_mg", "open_within_days"):
        if column in rows[0]:
            wrong = [i for i, row in enumerate(rows, 1) if row[column] and not _is_number(row[column])]
            if wrong:
                yield RecordsProblem(
                    label,
                    f"{column} of row {wrong[0]} is not a number ({len(wrong)} rows)",
                    "a number or blank",
                    "correct the row",
                )


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
