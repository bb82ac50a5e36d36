"""The files of an OMOP extract: CSV (comma or tab) or Parquet, names and columns in any case. Every value comes out as
text or missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.records.problems import RecordsError, RecordsProblem

_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet")
_NULLS = ["", "NULL", "null", r"\N"]


@dataclass(frozen=True)
class OmopFolder:
    """The tables an extract holds, by lower-case OMOP name."""

    path: Path
    files: dict[str, Path]

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def table(self, name: str, columns: Sequence[str], required: Sequence[str] = ()) -> pd.DataFrame:
        """``columns`` of one table, as text; a column that the extract lacks is all missing, a table that it lacks has
        no rows.

        Raises RecordsError where a ``required`` column is missing or the file cannot be read.
        """
        if name not in self.files:
            return pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
        path = self.files[name]
        try:
            found = _columns(path)
            gone = [column for column in required if column not in found]
            if gone:
                raise RecordsError(
                    [
                        RecordsProblem(
                            f"OMOP {name}",
                            f"{path.name} has no column {', '.join(gone)}",
                            "the column names of OMOP CDM 5.2 to 5.4, in any case",
                            "export the table again, or rename the column",
                        )
                    ]
                )
            table = _read(path, [found[column] for column in columns if column in found])
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            raise RecordsError([_unreadable(name, path, error)]) from error
        have = {original.lower(): table.column(original) for original in table.column_names}
        rows = table.num_rows
        return pd.DataFrame(
            {
                column: _text(have[column]).to_pandas() if column in have else pd.Series([None] * rows, dtype="str")
                for column in columns
            }
        )

    def rows(self, name: str) -> int:
        """How many rows a table has."""
        path = self.files[name]
        if _is_parquet(path):
            return sum(int(pq.read_metadata(part).num_rows) for part in _parts(path))
        try:
            return int(_read(path, [next(iter(_columns(path).values()))]).num_rows)
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            raise RecordsError([_unreadable(name, path, error)]) from error


def open_folder(folder: str | Path) -> OmopFolder:
    """Finds the tables of an extract. Raises RecordsError where the folder or its person table is not there, or a
    table is there twice."""
    path = Path(folder)
    if not path.is_dir():
        raise RecordsError(
            [
                RecordsProblem(
                    "OMOP extract",
                    f"{path} is not a folder",
                    "a folder with one CSV or Parquet file an OMOP table",
                    "check the path",
                )
            ]
        )
    files: dict[str, Path] = {}
    problems: list[RecordsProblem] = []
    for file in sorted(path.iterdir()):
        suffix = next((ending for ending in _SUFFIXES if file.name.lower().endswith(ending)), None)
        if file.is_dir() and any(file.glob("*.parquet")):
            suffix = ""  # a folder a table, as Spark writes it
        elif suffix is None or not file.is_file():
            continue
        name = file.name.lower().removesuffix(suffix)
        if name in files:
            what = f"both {files[name].name} and {file.name}"
            problems.append(
                RecordsProblem(f"OMOP {name}", what, "one file a table", "remove the one that is out of date")
            )
        files[name] = file
    if "person" not in files:
        problems.append(
            RecordsProblem(
                "OMOP person",
                f"no person table among {len(files)} table files",
                f"person.csv or person.parquet directly in {path}, one row a person",
                "add it; every other table refers to it",
            )
        )
    if problems:
        raise RecordsError(problems)
    return OmopFolder(path, files)


def _unreadable(name: str, path: Path, error: Exception) -> RecordsProblem:
    what = f"{path.name} cannot be read ({type(error).__name__})"
    return RecordsProblem(f"OMOP {name}", what, "CSV with a header line (comma or tab), or Parquet", "export it again")


def _columns(path: Path) -> dict[str, str]:
    """Lower-case column name -> the name as the file has it."""
    names = pq.read_schema(_parts(path)[0]).names if _is_parquet(path) else _header(path)[0]
    return {name.lower(): name for name in names}


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet" or path.is_dir()


def _parts(path: Path) -> list[Path]:
    """The Parquet files of a table: the file itself, or those in its folder, in order of name."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def _header(path: Path) -> tuple[list[str], str]:
    with pa.input_stream(str(path), compression="detect") as stream:
        line = stream.read(65_536).split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    delimiter = "\t" if "\t" in line else ","
    return [name.strip().strip('"') for name in line.split(delimiter)], delimiter


def _header_alone(path: Path) -> bool:
    """Whether the file ends with its first line: a table without rows, with or without a line end."""
    with pa.input_stream(str(path), compression="detect") as stream:
        return len(stream.read(65_536).splitlines()) <= 1


def _read(path: Path, columns: list[str]) -> pa.Table:
    if _is_parquet(path):
        parts = [pq.read_table(part, columns=columns) for part in _parts(path)]
        return pa.concat_tables(parts, promote_options="permissive")
    names, delimiter = _header(path)
    if _header_alone(path):
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    # Athena's vocabulary files are tab-separated and do not quote: a lone " is part of a concept name.
    quote = False if delimiter == "\t" else '"'
    return pacsv.read_csv(
        pa.input_stream(str(path), compression="detect"),
        read_options=pacsv.ReadOptions(column_names=names, skip_rows=1),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, quote_char=quote, newlines_in_values=delimiter == ","),
        convert_options=pacsv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=_NULLS,
        ),
    )


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Any column as text: whole numbers without a decimal point, timestamps as their date; so Parquet reads as the
    same CSV would."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:  # an instant: its day is the day in London
        values = pc.local_timestamp(values.cast(pa.timestamp("us", tz="Europe/London")))
        kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    elif pa.types.is_floating(kind):
        given = values.drop_null()
        if pc.all(pc.equal(given, pc.floor(given)), min_count=0).as_py():
            values = values.cast(pa.int64())
    text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.is_in(text, pa.array(_NULLS)), pa.scalar(None, pa.string()), text)
