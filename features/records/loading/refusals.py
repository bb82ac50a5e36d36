"""Problems of whole tables. Each of them stops the load before a row is read into the records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pandas as pd

from features.records.loading.columns import ParsedTable
from features.records.problems import RecordsProblem
from features.records.reading.column_table import ColumnTable
from features.records.reading.files import TableFile
from features.records.reading.given import Given
from features.records.reading.nhs_numbers import among
from features.records.tables import TABLES


def problems_of_tables(given: Mapping[str, Given]) -> Iterator[RecordsProblem]:
    """Tables that are not known, no table of patients, required columns that are missing, columns that differ in
    length."""
    for name in given:
        if name not in TABLES:
            yield RecordsProblem(
                str(name), "a table that is not known", f"one of {', '.join(TABLES)}", "rename or remove it"
            )
    if "patients" not in given:
        yield RecordsProblem(
            "patients", "the table is missing", "one row a person", "add it; every other table refers to it"
        )
    for name, table in given.items():
        if name in TABLES:
            yield from _problems_of_columns(name, table)


def _problems_of_columns(name: str, given: Given) -> Iterator[RecordsProblem]:
    spec = TABLES[name]
    gone = [name for name in spec.required if name not in given]
    if gone:
        yield RecordsProblem(
            name,
            f"required column{'s' if len(gone) > 1 else ''} missing: {', '.join(gone)}",
            f"columns {', '.join(spec.names)}",
            "add or rename the column; leave a value that is not known empty",
        )
    names = spec.names
    for column in given:
        if column in names:
            continue
        meant = re.sub(r"[\s-]+", "_", str(column).strip()).casefold()
        if meant in names and meant not in gone:
            yield RecordsProblem(
                name,
                f"a column is written differently: {meant}",
                "names of columns in small letters, as they stand in the documentation",
                f"rename the column to {meant}; its values would be lost",
            )
    if type(given) is not dict and isinstance(given, pd.DataFrame | TableFile | ColumnTable):
        return
    if len(set(map(len, map(given.__getitem__, given)))) > 1:
        yield RecordsProblem(
            name, "columns of different lengths", "one value a row in each column", "correct the extract"
        )


def nhs_numbers_as_ids(parsed: Mapping[str, ParsedTable]) -> Iterator[RecordsProblem]:
    """Tables that hold an NHS number as the id of a person, because it would be stored, logged and shown."""
    ones: dict[str, int] = {}
    for name, table in parsed.items():
        if "patient_id" not in table.columns:
            continue
        if (one := table.one_id) is None:
            number = among(table.columns["patient_id"])
        else:
            number = ones[one] = ones[one] if one in ones else among((one,))
        if number:
            yield RecordsProblem(
                name,
                f"{number} ids are NHS numbers",
                "local pseudonyms",
                "name the key that turns them into pseudonyms (upstream ingest own --nhs-key-file), or write "
                "local ids; a local id of ten digits that passes the check by chance needs a letter before it",
            )
