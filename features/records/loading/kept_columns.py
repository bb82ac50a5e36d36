"""Columns of a store as they are in memory, kept beside its files: ``columns.bin`` and ``columns.json``.

A store that was read and checked once opens again by mapping its columns: nothing is parsed, checked or sorted a second
time, and a page of a column that nobody reads is never loaded. The columns hold for the very files that they were read
from (``about.json`` names their checksums), for the code and the tables of words that read them, and from the day of
that load on: a later day sets nothing more aside. Where anything differs, the store is read as usual. Both files may be
deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.records.problems import LoadReport, TableReport
from features.records.reading.checksums import CHECKSUMS, damaged, without_checksums
from features.records.same_event.versions import RowVersions
from features.records.table import Table
from features.records.tables import TABLES
from features.records.unread import Unread

BYTES, INDEX = "columns.bin", "columns.json"
LEAST_PEOPLE = 1_000
"""Fewer people are read as fast as they are mapped."""
ALIGNED = 64
BLOCK = 1 << 22
PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Loaded:
    """What a load of a store made, without the rows that were set aside earlier."""

    patient_ids: npt.NDArray[np.object_]
    tables: dict[str, Table]
    about: dict[str, Any]
    report: LoadReport
    unread: Unread
    versions: dict[str, RowVersions] = field(default_factory=dict)


def keep(folder: Path, loaded: Loaded, today: int, key: str) -> None:
    """Writes the columns of a store that was read on ``today`` (a day number). ``key`` names it as it was before it was
    read: another store that took its place meanwhile does not open by them. A folder that cannot be written is left as
    it is."""
    about = _about(folder)
    if len(loaded.patient_ids) < LEAST_PEOPLE or not _is_whole_store(folder, about):
        return
    made = {name: folder / f"{name}.{os.getpid()}" for name in (BYTES, INDEX)}
    with suppress(OSError):
        try:
            with _private(made[BYTES], folder) as file:
                places = _Writer(file)
                index = _written(places, loaded)
            index |= {"key": key, "today": today, "size": places.size, "crc32": places.crc32}
            with _private(made[INDEX], folder) as file:
                file.write(json.dumps(index).encode())
            (folder / INDEX).unlink(missing_ok=True)  # never an index over the bytes of another load
            for name in (BYTES, INDEX):
                made[name].replace(folder / name)
        finally:
            for path in made.values():
                path.unlink(missing_ok=True)


def _private(path: Path, folder: Path) -> BinaryIO:
    """A new file that the same people may read as the store's own."""
    rights = (folder / "about.json").stat().st_mode & 0o777
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights), "wb")


def opened(folder: Path, today: int) -> Loaded | None:
    """What the last load of this very store made, mapped; None where there is none that holds on ``today``."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        about = _about(folder)
        if index["key"] != key_of(folder) or today < index["today"] or not _is_whole_store(folder, about):
            return None
        path = folder / BYTES
        if path.stat().st_size != index["size"] or _crc32(path) != index["crc32"] or damaged(folder, about):
            return None
        # Copy on write: arrays can be written to like any, and the file stays as it is.
        return _read(np.memmap(path, mode="c", dtype=np.uint8), index, about)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _about(folder: Path) -> dict[str, Any]:
    """What ``about.json`` says; nothing for an extract without one."""
    path = folder / "about.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _is_whole_store(folder: Path, about: Mapping[str, Any]) -> bool:
    """Every table is one file that ``upstream ingest`` wrote, and no other file stands beside it."""
    written = about.get(CHECKSUMS)
    if not isinstance(written, Mapping) or "data_hash" not in about:
        return False
    return all(
        f"{name}.parquet" in written and not (folder / f"{name}.csv").exists() and not (folder / name).exists()
        for name in TABLES
    )


def key_of(folder: Path) -> str:
    """Names the files of a store and what reads them; empty for a folder that is no store."""
    path = folder / "about.json"
    return hashlib.sha256(path.read_bytes() + _reader().encode()).hexdigest() if path.exists() else ""


@cache
def _reader() -> str:
    """SHA-256 of the code and the tables that decide what a store means."""
    digest = hashlib.sha256(f"{np.__version__} {pa.__version__}".encode())
    sources = [path for room in ("records", "reference") for path in (PACKAGE / room).rglob("*")]
    for path in sorted(path for path in sources if path.suffix in (".py", ".csv")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _crc32(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found = zlib.crc32(block, found)
    return found


class _Writer:
    """Appends arrays to a file, and says where each begins."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.crc32 = file, 0, 0

    def _append(self, held: bytes | memoryview) -> int:
        gap = -self.size % ALIGNED
        for part in (bytes(gap), held):
            self.file.write(part)
            self.crc32 = zlib.crc32(part, self.crc32)
        begins = self.size + gap
        self.size = begins + len(held)
        return begins

    def array(self, values: npt.NDArray[Any]) -> dict[str, Any]:
        held = np.ascontiguousarray(values)
        return {"dtype": held.dtype.str, "rows": len(held), "at": self._append(held.view(np.uint8).data)}

    def column(self, values: Any) -> dict[str, Any]:
        if isinstance(values, np.ndarray):
            return self.array(values)
        text = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        text = pa.concat_arrays([text.cast(pa.string())])  # from its first row on, whatever it is a slice of
        at = [None if held is None else (self._append(memoryview(held)), len(held)) for held in text.buffers()]
        return {"text": at, "rows": len(text)}

    def table(self, table: Table) -> dict[str, Any]:
        columns = {name: self.column(values) for name, values in table.columns.items()}
        return {"columns": columns, "patient": self.array(table.patient), "offsets": self.array(table.offsets)}


def _written(places: _Writer, loaded: Loaded) -> dict[str, Any]:
    unread, versions = loaded.unread, loaded.versions
    return {
        "patient_ids": places.column(pa.array(loaded.patient_ids, pa.string())),
        "tables": {name: places.table(table) for name, table in loaded.tables.items()},
        "versions": {
            name: {
                "table": places.table(one.table),
                **{part: places.array(getattr(one, part)) for part in ("offsets", "since", "until")},
            }
            for name, one in versions.items()
        },
        "unread": {
            **{part: places.array(getattr(unread, part)) for part in ("patient", "on", "known_on")},
            "words": unread.words,
        },
        "report": asdict(loaded.report),
    }


def _read(held: npt.NDArray[np.uint8], index: Mapping[str, Any], about: Mapping[str, Any]) -> Loaded:
    def array(entry: Mapping[str, Any]) -> npt.NDArray[Any]:
        dtype = np.dtype(entry["dtype"])
        return np.frombuffer(held, dtype, entry["rows"], entry["at"])

    def column(entry: Mapping[str, Any]) -> Any:
        if "text" not in entry:
            return array(entry)
        buffers = [None if at is None else pa.py_buffer(held[at[0] : at[0] + at[1]]) for at in entry["text"]]
        return pa.Array.from_buffers(pa.string(), entry["rows"], buffers)

    def table(name: str, entry: Mapping[str, Any]) -> Table:
        columns = {column_name: column(one) for column_name, one in entry["columns"].items()}
        return Table(TABLES[name], columns, array(entry["patient"]), array(entry["offsets"]))

    def versions(name: str, entry: Mapping[str, Any]) -> RowVersions:
        return RowVersions(
            table(name, entry["table"]), array(entry["offsets"]), array(entry["since"]), array(entry["until"])
        )

    unread = index["unread"]
    words = tuple(tuple(one) for one in unread["words"])
    report = index["report"]
    return Loaded(
        np.asarray(column(index["patient_ids"]).to_pylist(), dtype=object),
        {name: table(name, entry) for name, entry in index["tables"].items()},
        without_checksums(about),
        LoadReport(
            {name: TableReport(**_with_tuples(one)) for name, one in report["tables"].items()},
            report["reasons"],
            report["withdrawn"],
        ),
        Unread(array(unread["patient"]), array(unread["on"]), array(unread["known_on"]), words),
        {name: versions(name, entry) for name, entry in index["versions"].items()},
    )


def _with_tuples(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in report.items()}


__all__ = ["Loaded", "keep", "key_of", "opened"]
