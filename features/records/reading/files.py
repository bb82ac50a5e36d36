"""A folder of records: one CSV or Parquet file per table, written under a temporary name and renamed, so that a
half-written store is never read."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import UpstreamError
from features.records.problems import RecordsError, RecordsProblem
from features.records.reading.checksums import CHECKSUMS, checksums_of, damaged, without_checksums
from features.records.reading.csv_files import UnreadableCsv, read_csv, without_blank_lines
from features.records.tables import TABLES

UNREAD = "unread.parquet"
"""Values that were not understood, by person, stored with the tables."""


class FolderTaken(UpstreamError, FileExistsError):
    """A store was to be written into a folder that holds other files."""


class TableFile(Mapping[str, pd.Series]):
    """A table in a file. A column is converted to pandas when read and is not kept, because nobody needs two at once.

    ``read`` returns the table, also again after :meth:`let_go`. Parsed columns are seldom needed again, and those of
    a trust fill a gigabyte.
    """

    def __init__(self, read: Callable[[], pa.Table]) -> None:
        self._read = read
        self._table: pa.Table | None = read()
        self.rows, self._names = int(self._table.num_rows), tuple(self._table.column_names)

    def __getitem__(self, name: str) -> pd.Series:
        return self._whole().column(name).to_pandas()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def row(self, position: int) -> dict[str, Any]:
        """One row, column by column."""
        return {name: self._whole().column(name).slice(position, 1).to_pandas().iloc[0] for name in self}

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(dict(self))

    def arrow(self) -> pa.Table:
        return self._whole()

    def let_go(self) -> None:
        self._table = None

    def _whole(self) -> pa.Table:
        if self._table is None:
            self._table = self._read()
        return self._table


def read_folder(folder: Path) -> tuple[dict[str, TableFile], dict[str, Any]]:
    """Tables as given, CSV columns as text, and what ``about.json`` says."""
    if not folder.is_dir():
        raise RecordsError(
            [
                RecordsProblem(
                    "store",
                    "the folder is not there",
                    "a folder with one file a table",
                    "check the path, or make it with upstream ingest",
                )
            ]
        )
    about = _about(folder)
    if found := damaged(folder, about):
        raise RecordsError(found)
    frames: dict[str, TableFile] = {}
    problems: list[RecordsProblem] = []
    for name in TABLES:
        parquet, text, parts = folder / f"{name}.parquet", folder / f"{name}.csv", folder / name
        given = [path for path in (parquet, text, parts) if path.exists()]
        if len(given) > 1:
            both = " and ".join(f"{path.name}{'/' if path.is_dir() else ''}" for path in given)
            problems.append(RecordsProblem(name, f"there are {both}", "one of them", "remove what is out of date"))
            continue
        try:
            if parquet in given:
                frames[name] = TableFile(_parquet(parquet))
            elif text in given:
                frames[name] = TableFile(_csv(text))
            elif parts in given:
                frames[name] = TableFile(_parts(parts))
        except UnreadableCsv as error:
            problems.append(
                RecordsProblem(name, f"{given[0].name}: {error}", "CSV in UTF-8 with a header", "write it again")
            )
        except (pa.ArrowInvalid, OSError) as error:
            problems.append(
                RecordsProblem(
                    name,
                    f"{given[0].name} cannot be read ({type(error).__name__})",
                    "CSV with a header, or Parquet",
                    "write it again",
                )
            )
    if problems:
        raise RecordsError(problems)
    if (folder / "about.json").exists():
        _join_versions(folder, frames)
    return frames, without_checksums(about)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "about.json"
    if not path.exists():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        about = None
    if not isinstance(about, dict):
        expected, todo = "a JSON object", "restore the store from the backup, or remove it and ingest again"
        raise RecordsError([RecordsProblem("store", "about.json cannot be read", expected, todo)])
    return about


def versions_file(table: str) -> str:
    """The name, without its ending, of the file with all rows of the people for whom an earlier version of a row of
    ``table`` had other values.
    """
    return f"{table}_versions"


def _join_versions(folder: Path, frames: dict[str, TableFile]) -> None:
    """Replaces the current rows of a store by all their versions."""
    for name, file in list(frames.items()):
        parquet, text = (folder / f"{versions_file(name)}.{end}" for end in ("parquet", "csv"))
        if parquet.exists() or text.exists():
            read = _parquet(parquet) if parquet.exists() else _csv(text)
            frames[name] = TableFile(lambda file=file, read=read: _replaced(file.arrow(), read()))  # type: ignore[misc]


def _replaced(table: pa.Table, versions: pa.Table) -> pa.Table:
    ids = versions.column("patient_id")
    theirs = pc.is_in(table.column("patient_id"), value_set=ids.combine_chunks().cast(table.column("patient_id").type))
    rest = table.filter(pc.invert(theirs)).replace_schema_metadata(None)
    return pa.concat_tables([rest, versions.replace_schema_metadata(None)], promote_options="permissive")


def read_unread(folder: Path) -> pa.Table | None:
    """Values that were not understood when the store was written; None if there are none."""
    path = folder / UNREAD
    return pq.read_table(path) if path.exists() else None


def read_quarantine(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"table": "str", "row": "int64", "column": "str", "reason": "str", "values": "str"})


def joined_quarantine(earlier: pd.DataFrame, now: pd.DataFrame | None) -> pd.DataFrame:
    """Rows set aside by an earlier run and by this one, because the rows of a store are not those of the extract it
    came from.
    """
    earlier = earlier[[column for column in earlier if column != "synthetic"]]
    return earlier if now is None or not len(now) else pd.concat([earlier, now], ignore_index=True)


def _parquet(path: Path) -> Callable[[], pa.Table]:
    # The file stays open, so that the same file is read again even if another has replaced it.
    file = pa.OSFile(str(path))
    return lambda: pq.read_table(file)


def _csv(path: Path) -> Callable[[], pa.Table]:
    table = without_blank_lines(read_csv(path))
    return lambda: table


def _parts(folder: Path) -> Callable[[], pa.Table]:
    """A folder of files is one table: its Parquet or CSV files, in order of name."""
    files = [path for path in sorted(folder.rglob("*")) if not path.name.startswith(("_", "."))]
    parquet, text = ([path for path in files if path.suffix.lower() == end] for end in (".parquet", ".csv"))
    if bool(parquet) == bool(text):
        raise UnreadableCsv("the folder of a table holds either Parquet files or CSV files")
    read = [pq.read_table(path) for path in parquet] or [without_blank_lines(read_csv(path)) for path in text]
    table = pa.concat_tables(read, promote_options="permissive")
    return lambda: table


def write_folder(
    folder: Path,
    frames: Iterable[tuple[str, Iterable[pd.DataFrame]]],
    about: Mapping[str, Any],
    report: Mapping[str, Any],
    quarantine: pd.DataFrame,
    unread: pa.Table,
    format: Literal["parquet", "csv"],
) -> Path:
    """Writes the whole folder under a temporary name and renames it to ``folder``, where it replaces an older store.

    ``frames`` gives each table in slices; the rows of a Parquet file come in row groups of one slice.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "about.json").exists():
        raise FolderTaken(f"{folder} holds other files; choose an empty folder for the store")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    synthetic = {"synthetic": True} if about.get("synthetic") else {}
    try:
        for name, slices in frames:
            if format == "parquet":
                tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in slices)
                _write_parquet(tables, beside / f"{name}.parquet", bool(synthetic))
            else:
                _write_csv(slices, beside / f"{name}.csv")
        (beside / "report.json").write_text(
            json.dumps({**report, **synthetic}, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        if unread.num_rows:
            _write_parquet([unread], beside / UNREAD, bool(synthetic))
        if len(quarantine):
            quarantine.assign(**synthetic).to_csv(beside / "quarantine.csv", index=False)
        sums = checksums_of(beside)
        about = {**without_checksums(about), **({CHECKSUMS: sums} if sums else {})}
        (beside / "about.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.replace(old)
            beside.replace(folder)
            shutil.rmtree(old)
        else:
            beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _write_parquet(tables: Iterable[pa.Table], path: Path, synthetic: bool) -> None:
    """Writes one file, a row group for each table. A file of a synthetic store is marked inside, so that the mark stays
    when it leaves its folder.
    """
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            if synthetic:
                table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"synthetic": b"true"})
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _write_csv(slices: Iterable[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(slices):
            frame.to_csv(file, index=False, header=number == 0, date_format="%Y-%m-%d")
