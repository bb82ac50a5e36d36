"""Keeps our tables while they are made, in parts: in files, or in memory for a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.records.reading.column_table import ColumnTable
from features.records.sources.fhir.scratch import Scratch, read_rows, write_rows


@dataclass(frozen=True)
class Shelved:
    """One table in parts with the same columns. A part is in memory, or in a file."""

    names: tuple[str, ...]
    parts: tuple[pa.Table | Path, ...]
    counts: tuple[int, ...]
    scratch: Scratch | None = None
    """Keeps the files while something may read them."""

    def __len__(self) -> int:
        return sum(self.counts)

    def whole_parts(self) -> Iterator[tuple[int, pa.Table]]:
        """(the position of its first row, rows) of each part in order."""
        first = 0
        for part, count in zip(self.parts, self.counts, strict=True):
            yield first, read_rows(part) if isinstance(part, Path) else part
            first += count

    def column(self, name: str) -> pd.Series:
        """One column of every row."""
        place = self.names.index(name)
        parts = (read_rows(p, place) if isinstance(p, Path) else p.select([place]) for p in self.parts)
        whole = pa.concat_tables([pa.table({name: plain(p.column(0))}) for p in parts], promote_options="permissive")
        return whole.column(0).to_pandas()

    def sources(self) -> npt.NDArray[np.int32]:
        """The resource of each row."""
        return self.column("source").to_numpy(np.int32)

    def given(self, read: Callable[[str], pd.Series] | None = None, *, without: tuple[str, ...] = ()) -> ColumnTable:
        """The table as ``Records.from_frames`` takes it. ``read`` makes a column in another way than it is kept."""
        names = tuple(name for name in self.names if name not in ("source", *without))
        return ColumnTable(len(self), names, read or self.column)


class Shelf:
    """``scratch`` is the folder for the parts; without one they stay in memory."""

    def __init__(self, scratch: Scratch | None) -> None:
        self._scratch = scratch

    def keep(self, name: str, parts: Iterable[pa.Table]) -> Shelved:
        """Keeps every part as soon as it is made."""
        kept: list[pa.Table | Path] = []
        counts: list[int] = []
        names: tuple[str, ...] = ()
        for number, part in enumerate(parts):
            names = tuple(part.column_names)
            counts.append(len(part))
            kept.append(self._put(f"{name}-{number}", part))
        return Shelved(names, tuple(kept), tuple(counts), self._scratch)

    def _put(self, name: str, part: pa.Table) -> pa.Table | Path:
        if self._scratch is None:
            return part
        path = self._scratch.folder / f"our-{name}.arrow"
        write_rows(part, path)
        return path


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Words of a dictionary as text: parts have different dictionaries."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


__all__ = ["Shelf", "Shelved", "plain"]
