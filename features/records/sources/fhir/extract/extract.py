"""``read``: reads a FHIR folder into the intermediate tables, batch by batch, on every core."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.records.sources.fhir.codebook import CodeBook
from features.records.sources.fhir.extract.batches import BROKEN, Batch, rows_table
from features.records.sources.fhir.extract.folder import FhirFolder, FilePart
from features.records.sources.fhir.extract.parts import Job, Outcome, read_part
from features.records.sources.fhir.extract.workers import run_workers
from features.records.sources.fhir.scratch import Scratch, read_rows, write_rows
from features.records.sources.fhir.sink import TABLES

MANY_BYTES = 96 * 2**20
"""From this size on, several processes are faster than one."""
SMALL_BYTES = 100_000
"""Files that are smaller on average are read in one process: handing one to another takes longer than reading it."""
MANY_ROWS = 2**12
"""From this length on, a table of a batch is kept in a file. Shorter ones are not worth it."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Piece:
    """The rows of one table in one batch, in memory or in the file of a worker. ``first`` is the number of the batch's
    first resource in the extract.
    """

    rows: pa.Table | Path
    first: int

    def read(self) -> pa.Table:
        table = read_rows(self.rows) if isinstance(self.rows, Path) else self.rows
        moved = table["source"].to_numpy() + np.int32(self.first)
        return table.set_column(0, "source", pa.array(moved, pa.int32()))


@dataclass
class Extract:
    """Every resource of an extract. ``fates``, ``kinds``, ``keys`` and ``versions`` have one entry for each resource.
    Rows in ``tables`` refer to their resource by position (``source``). A table is one piece for each batch, as it was
    read: those of worker processes stay in files of ``scratch``. Linking takes each table out once it has read it, and
    the versions once it knows which is the latest.
    """

    tables: dict[str, list[Piece]]
    fates: npt.NDArray[np.int16]
    fate_words: list[str]
    kinds: npt.NDArray[np.int16]
    kind_words: list[str]
    keys: npt.NDArray[np.uint64]
    versions: npt.NDArray[np.int64]
    unmapped: Counter[tuple[str, str, str, str]]
    notes: Counter[str]
    broken: list[tuple[str, int, str]]
    deleted: set[str] = field(default_factory=set)
    files: int = 0
    scratch: Scratch | None = None

    def fate(self, word: str) -> int:
        """The number of a fate. A new fate gets the next number."""
        if word not in self.fate_words:
            self.fate_words.append(word)
        return self.fate_words.index(word)


def read(
    folder: FhirFolder, job: Job, book: CodeBook, *, workers: int | None = None, progress: Progress | None = None
) -> Extract:
    """Reads every part. ``workers`` is the number of processes; the default for a large extract of
    files that are not small is one for each core.
    """
    total = sum(part.size for part in folder.parts)
    if workers is None:
        large = total > max(MANY_BYTES, SMALL_BYTES * len(folder.parts))
        workers = min(os.cpu_count() or 1, len(folder.parts)) if large else 1
    scratch = Scratch()
    gathering, done = Gathering(scratch), 0
    deleted: set[str] = set()
    for part, (batches, gone) in zip(folder.parts, _run(folder.parts, job, book, workers, scratch), strict=True):
        for batch in batches:
            gathering.add(part, batch)
        deleted |= gone
        done += part.size
        if progress is not None:
            progress(done, total)
    gathering.notes += Counter(dict(folder.notes))
    made = gathering.extract()
    made.deleted, made.files = deleted, len({part.path for part in folder.parts})
    return made


def _run(parts: tuple[FilePart, ...], job: Job, book: CodeBook, workers: int, scratch: Scratch) -> Iterator[Outcome]:
    if workers <= 1:
        for part in parts:
            yield read_part(part, job, book)
        return
    yield from run_workers(parts, job, workers, scratch.folder)


class Gathering:
    """Joins batches, and numbers the resources across all of them. Long tables are kept in files of ``scratch``."""

    def __init__(self, scratch: Scratch | None = None) -> None:
        self.scratch = scratch
        self.tables: dict[str, list[Piece]] = {name: [] for name in TABLES}
        self.fates: list[npt.NDArray[np.int16]] = []
        self.kinds: list[npt.NDArray[np.int16]] = []
        self.keys: list[npt.NDArray[np.uint64]] = []
        self.versions: list[npt.NDArray[np.int64]] = []
        self.fate_words: dict[str, int] = {BROKEN: 0}
        self.kind_words: dict[str, int] = {}
        self.unmapped: Counter[tuple[str, str, str, str]] = Counter()
        self.notes: Counter[str] = Counter()
        self.broken: list[tuple[str, int, str]] = []
        self.count = 0
        self.line = (Path(), 0)

    def add(self, part: FilePart, batch: Batch) -> None:
        for name, table in batch.tables.items():
            if isinstance(table, Path) or len(table):
                self.tables[name].append(Piece(self._kept(table, name), self.count))
        self.fates.append(_places(batch.fates, self.fate_words))
        self.kinds.append(_places(batch.kinds, self.kind_words))
        self.keys.append(batch.keys)
        self.versions.append(batch.versions)
        self.unmapped += batch.unmapped
        self.notes += batch.notes
        before = _lines_before(part) if batch.broken else 0
        self.broken += [(part.path.name, before + line, why) for line, why in batch.broken]
        self.count += len(batch)

    def _kept(self, table: pa.Table | Path, name: str) -> pa.Table | Path:
        if isinstance(table, Path) or self.scratch is None or len(table) < MANY_ROWS:
            return table
        path = self.scratch.folder / f"read-{name}-{self.count}.arrow"
        write_rows(table, path)
        return path

    def extract(self) -> Extract:
        for name, pieces in self.tables.items():
            if not pieces:
                pieces.append(Piece(rows_table(name, []), 0))
        return Extract(
            self.tables,
            _joined(self.fates, np.int16),
            list(self.fate_words),
            _joined(self.kinds, np.int16),
            list(self.kind_words),
            _joined(self.keys, np.uint64),
            _joined(self.versions, np.int64),
            self.unmapped,
            self.notes,
            self.broken,
            scratch=self.scratch,
        )


def _places(words: pa.DictionaryArray, known: dict[str, int]) -> npt.NDArray[np.int16]:
    """The number of each word across all batches."""
    numbers = np.array([known.setdefault(word, len(known)) for word in words.dictionary.to_pylist()], np.int16)
    return numbers[words.indices.to_numpy()] if len(words) else np.zeros(0, np.int16)


def _joined(parts: list[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    """The parts in one array. They are given up: those of a trust fill hundreds of megabytes."""
    whole = np.concatenate(parts) if parts else np.zeros(0, dtype)
    parts.clear()
    return whole


def _lines_before(part: FilePart) -> int:
    """Number of lines of the file before a part. It is counted only for a file that has a broken line."""
    if part.start == 0:
        return 0
    count, left = 0, part.start
    with part.path.open("rb") as stream:
        while left > 0:
            block = stream.read(min(left, 2**22))
            count, left = count + block.count(b"\n"), left - len(block)
    return count
