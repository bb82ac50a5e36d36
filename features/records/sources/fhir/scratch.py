"""A folder for what an ingest cannot hold in memory; it is removed when the ingest ends."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

import pyarrow as pa

_WRITE = pa.ipc.IpcWriteOptions(compression="lz4")


class Scratch:
    """A folder that only this user may read. It is removed by :meth:`close`, or when nothing refers to it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fhir-"))
        self._end = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def close(self) -> None:
        self._end()


def write_rows(table: pa.Table, path: Path) -> None:
    """Writes a table as an Arrow file."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=_WRITE) as writer:
        writer.write_table(table)


def read_rows(path: Path, column: int | None = None) -> pa.Table:
    """The table of an Arrow file, or one of its columns."""
    options = pa.ipc.IpcReadOptions(included_fields=None if column is None else [column])
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file, options=options).read_all()


__all__ = ["Scratch", "read_rows", "write_rows"]
