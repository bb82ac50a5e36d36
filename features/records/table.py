"""One typed columnar table, grouped by patient and sorted by event day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import to_datetime64
from features.records.reading.parsing import empty
from features.records.tables import TableSpec

FEW = 200
"""Up to so many texts, a plain dictionary takes less time than Arrow's."""
SLICE_ROWS = 2**20
"""A slice is one row group of a Parquet file, so the file is that of the whole table."""


@dataclass(frozen=True)
class Table:
    """``columns`` are typed arrays (see :mod:`features.records.reading.parsing`); rows of patient ``i`` are
    ``offsets[i]:offsets[i + 1]``.

    ``patient`` (int32, one a row) is the position in ``Records.patient_ids``. Tables without a patient have offsets of
    length 1.
    """

    spec: TableSpec
    columns: Mapping[str, Any]
    patient: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        first = self.columns[self.spec.columns[0].name if not self.spec.per_patient else self.spec.columns[1].name]
        return len(first)

    def take(self, rows: npt.NDArray[np.int64], patient: npt.NDArray[np.int32], patients: int) -> Table:
        """The given rows, in the given order, as a table over ``patients`` people."""
        columns = {name: take(values, rows) for name, values in self.columns.items()}
        return Table(self.spec, columns, patient, offsets_of(patient, patients))

    def between(self, first: int, last: int) -> Table:
        """The rows of patients ``first`` up to ``last``, as views."""
        begin, end = int(self.offsets[first]), int(self.offsets[last])
        columns = {name: values[begin:end] for name, values in self.columns.items()}
        return _Between(self.spec, columns, self.offsets[first : last + 1] - begin)

    def to_pandas(self, patient_ids: npt.NDArray[np.object_]) -> pd.DataFrame:
        """The table with the columns of ``features/records/tables.py``; dates are datetime64[s], ids and text are
        strings."""
        out: dict[str, Any] = {}
        for column in self.spec.columns:
            if column.name == "patient_id":
                ids = pa.array(patient_ids, pa.string()).take(pa.array(self.patient))
                out[column.name] = pd.Series(ids, dtype="str")
                continue
            values = self.columns[column.name]
            if column.kind == "date":
                out[column.name] = to_datetime64(values)
            elif column.kind == "code":
                words = pa.array([*column.values, None], pa.string())
                out[column.name] = pd.Series(
                    words.take(pa.array(np.where(values < 0, len(column.values), values))), dtype="str"
                )
            elif column.kind == "flag":
                out[column.name] = pd.Series(np.where(values < 0, None, values == 1), dtype="boolean")
            elif column.kind == "number":
                out[column.name] = values.copy()
            else:
                out[column.name] = pd.Series(values, dtype="str")
        return pd.DataFrame(out)

    def slices(self, patient_ids: npt.NDArray[np.object_]) -> Iterator[pd.DataFrame]:
        """The same in frames of at most ``SLICE_ROWS`` rows; at least one."""
        for first in range(0, max(len(self), 1), SLICE_ROWS):
            rows = slice(first, first + SLICE_ROWS)
            columns = {name: values[rows] for name, values in self.columns.items()}
            yield Table(self.spec, columns, self.patient[rows], self.offsets).to_pandas(patient_ids)

    def update_hash(self, digest: hashlib._Hash) -> None:
        """Adds the content (never the memory layout) to ``digest``."""
        digest.update(f"{self.spec.name}:{len(self)}".encode())
        digest.update(self.patient.tobytes())
        for name in sorted(self.columns):
            values = self.columns[name]
            digest.update(name.encode())
            if isinstance(values, np.ndarray):
                digest.update(values.tobytes())
                continue
            text = (
                pc.fill_null(values, "\0").combine_chunks()
                if isinstance(values, pa.ChunkedArray)
                else pc.fill_null(values, "\0")
            )
            lengths = pc.binary_length(text).to_numpy(zero_copy_only=False).astype(np.int32)
            digest.update(lengths.tobytes())
            digest.update(
                pc.binary_join(pa.LargeListArray.from_arrays([0, len(text)], text), "")[0].as_py().encode()
                if len(text)
                else b""
            )


def codes_among(spec: TableSpec, column: str, words: Iterable[str]) -> npt.NDArray[np.bool_]:
    """By code of a column: whether it is one of some words. The last place, read by a missing code (-1), is False."""
    wanted = frozenset(words)
    return np.array([*(value in wanted for value in spec.column(column).values), False], bool)


def take(values: Any, rows: npt.NDArray[np.int64]) -> Any:
    """``values[rows]`` for numpy and pyarrow alike."""
    if isinstance(values, np.ndarray):
        return values[rows]
    if isinstance(values, pa.Array) and values.null_count == len(values):
        return pa.nulls(len(rows), values.type)
    return values.take(pa.array(rows))


def words_of(text: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Text as positions in the list of its distinct words; -1 for null."""
    if len(text) <= FEW:
        places, words = _numbered(text)
        return np.array(places, np.int32), words
    codes = _encoded(text)
    return _places(codes), codes.dictionary.to_pylist()


def distinct_numbers(text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """One number for each distinct text, -1 for null: where nobody reads the words, as with ids."""
    if len(text) <= FEW:
        return np.array(_numbered(text)[0], np.int32)
    return _places(_encoded(text))


def _numbered(text: pa.Array | pa.ChunkedArray) -> tuple[list[int], list[str]]:
    """The number of each text, and the different ones in the order of their numbers."""
    texts = text.to_pylist()
    seen = dict.fromkeys(texts)
    seen.pop(None, None)
    numbers: dict[str | None, int] = dict(zip(seen, range(len(seen)), strict=True))
    numbers[None] = -1
    return list(map(numbers.__getitem__, texts)), list(seen)


def _encoded(text: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    codes = text.dictionary_encode()
    return codes.unify_dictionaries().combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes


def _places(codes: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    place = codes.indices.fill_null(-1) if codes.null_count else codes.indices
    return np.asarray(place.to_numpy(zero_copy_only=False), dtype=np.int32)


class _Between(Table):
    """Rows of neighbouring patients as views of a table. Whose each row is is worked out when somebody asks: few do,
    and in a long table it takes longer than all the rest."""

    def __init__(self, spec: TableSpec, columns: Mapping[str, Any], offsets: npt.NDArray[np.int64]) -> None:
        self.__dict__.update(spec=spec, columns=columns, offsets=offsets)

    @cached_property
    def patient(self) -> npt.NDArray[np.int32]:
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))


def offsets_of(patient: npt.NDArray[np.int32], patients: int) -> npt.NDArray[np.int64]:
    """Where each patient's rows begin, given the patient of every row in ascending order."""
    if patients == 1:
        return np.array((0, len(patient)), np.int64)
    return np.searchsorted(patient, np.arange(patients + 1), side="left").astype(np.int64)


def rows_kept(
    offsets: npt.NDArray[np.int64], keep: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows of a table that are kept, and where those of each patient begin among them."""
    rows = np.flatnonzero(keep)
    return rows, np.searchsorted(rows, offsets).astype(np.int64, copy=False)


def empty_table(spec: TableSpec, patients: int) -> Table:
    columns = {column.name: empty(column, 0) for column in spec.columns if column.name != "patient_id"}
    patient = np.zeros(0, dtype=np.int32)
    return Table(spec, columns, patient, offsets_of(patient, patients if spec.per_patient else 0))
