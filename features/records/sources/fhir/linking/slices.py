"""Tables of an extract as pandas frames of bounded size, and the frames made of them as one Arrow table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.records.sources.fhir.extract.extract import Piece

ROWS = 2**17
"""About as many rows are held as pandas objects at one time. More would be little faster."""


def slices_of(pieces: Iterable[Piece]) -> Iterator[pa.Table]:
    """A table in slices of whole pieces, in order: at least one, and each of about ``ROWS`` rows. Each has its own
    dictionaries, because one dictionary of a million keys would be read again with every slice.
    """
    group: list[pa.Table] = []
    for piece in pieces:
        group.append(piece.read())
        if sum(map(len, group)) >= ROWS:
            yield pa.concat_tables(group).unify_dictionaries()
            group = []
    if group:
        yield pa.concat_tables(group).unify_dictionaries()


def packed(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow, in a tenth of the memory of Python objects. Text has one type, so that parts can be joined."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return pa.table({name: _plain(column.combine_chunks()) for name, column in zip(frame, table.columns, strict=True)})


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), column.dictionary.cast(pa.string()))
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column


def joined(parts: Iterable[pa.Table]) -> pd.DataFrame:
    """The rows of several packed frames, in order."""
    whole = pa.concat_tables(list(parts), promote_options="permissive")
    return whole.unify_dictionaries().combine_chunks().to_pandas(split_blocks=True)


@dataclass(frozen=True)
class DayByKey:
    """A day for each of some resources. ``keys`` are the hashes of their keys, ascending."""

    keys: npt.NDArray[np.uint64]
    days: npt.NDArray[np.int32]

    @classmethod
    def earliest(cls, keys: npt.NDArray[np.uint64], days: npt.NDArray[np.int32]) -> DayByKey:
        order = np.lexsort((days, keys))
        keys = keys[order]
        first = np.diff(keys, prepend=~keys[:1]) != 0
        return cls(keys[first], days[order][first])

    @classmethod
    def latest(cls, keys: npt.NDArray[np.uint64], days: npt.NDArray[np.int32]) -> DayByKey:
        order = np.lexsort((days, keys))
        keys = keys[order]
        last = np.diff(keys, append=~keys[-1:]) != 0
        return cls(keys[last], days[order][last])

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, keys: npt.NDArray[np.uint64], missing: int) -> npt.NDArray[np.int32]:
        """The day of each key, ``missing`` where there is none."""
        if not len(self):
            return np.full(len(keys), missing, np.int32)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        return np.where(self.keys[place] == keys, self.days[place], np.int32(missing))


__all__ = ["DayByKey", "joined", "packed", "slices_of"]
