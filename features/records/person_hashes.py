"""One hash a person of everything that the records hold of them, to see who changed between two extracts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.records.records import Records
from features.records.table import Table

BYTES = 16


def person_hashes(records: Records, places: npt.NDArray[np.int64]) -> list[bytes]:
    """``BYTES`` bytes for each of the people at ``places`` (positions in ``records.patient_ids``).

    Two records give a person the same hash only if the person's rows are the same and in the same order, with both
    clocks, earlier versions, and the values that were not understood. Tables without people (``teams``) do not count.
    """
    ids = records.patient_ids[places].tolist()
    found = [hashlib.blake2b(patient.encode(), digest_size=BYTES) for patient in ids]
    for table in records.tables.values():
        if table.spec.per_patient:
            _add_rows(found, table, places)
    for name, versions in sorted(records.versions.items()):
        _add(found, np.full(len(records), name.encode()), np.arange(len(records) + 1), places)
        _add_rows(found, versions.table, places)
        for days in (versions.since, versions.until):
            _add(found, days, versions.offsets, places)
    unread = records.unread
    if len(unread):
        rows = np.array([repr(row[1:]).encode() for row in unread.rows()], object)
        ends = np.searchsorted(unread.patient, np.arange(len(records) + 1))
        for digest, place in zip(found, places.tolist(), strict=True):
            digest.update(b"".join(rows[ends[place] : ends[place + 1]]))
    return [digest.digest() for digest in found]


def _add_rows(found: list[Any], table: Table, places: npt.NDArray[np.int64]) -> None:
    """Adds the rows of one table, each column after the number of rows, so that no two tables read alike."""
    _add(found, np.diff(table.offsets), np.arange(len(table.offsets)), places)
    for name in sorted(table.columns):
        for values, offsets in _numbers(table.columns[name], table.offsets):
            _add(found, values, offsets, places)


def _numbers(values: Any, offsets: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.int64]]]:
    """A column as arrays and where each person's part of them begins: of text its lengths (-1 for null), then its
    bytes."""
    if isinstance(values, np.ndarray):
        yield values, offsets
        return
    text = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    lengths = pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False).astype(np.int32)
    yield lengths, offsets
    begins = np.concatenate([[0], np.cumsum(np.maximum(lengths, 0), dtype=np.int64)])
    joined = pc.binary_join(pa.LargeListArray.from_arrays([0, len(text)], pc.fill_null(text, "")), "")[0].as_py()
    yield np.frombuffer(joined.encode(), np.uint8), begins[offsets]


def _add(
    found: list[Any],
    values: npt.NDArray[Any],
    offsets: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
) -> None:
    """Adds ``values[offsets[p]:offsets[p + 1]]`` of each person ``p`` to their hash."""
    data = np.ascontiguousarray(values).view(np.uint8).data
    size = values.dtype.itemsize
    begins, ends = (offsets[places] * size).tolist(), (offsets[places + 1] * size).tolist()
    for digest, begin, end in zip(found, begins, ends, strict=True):
        if begin != end:
            digest.update(data[begin:end])
