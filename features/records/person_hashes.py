"""One hash a person of everything that the records hold of them, to see who changed between two extracts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.records.kernels import lay
from features.records.records import Records
from features.records.table import Table

BYTES = 16
TOGETHER = 2_000
"""People whose rows are laid one after the other in memory at one time."""
Places = npt.NDArray[np.int64]
Part = tuple[npt.NDArray[np.uint8], Places, Places]
"""Bytes, and where those of each of some people begin and end in them."""


def person_hashes(records: Records, places: Places, threads: int = 1) -> list[bytes]:
    """``BYTES`` bytes for each of the people at ``places`` (positions in ``records.patient_ids``).

    Two records give a person the same hash only if the person's rows are the same and in the same order, with both
    clocks, earlier versions, and the values that were not understood. Tables without people (``teams``) do not count.
    """
    unread = records.unread
    words = np.array([repr(row[1:]).encode() for row in unread.rows()], object)
    ends = np.searchsorted(unread.patient, np.arange(len(records) + 1)).tolist()

    def of_some(first: int) -> list[bytes]:
        found, some = [], places[first : first + TOGETHER]
        for patient, place, held in zip(records.patient_ids[some].tolist(), some, _held(records, some), strict=True):
            digest = hashlib.blake2b(patient.encode(), digest_size=BYTES)
            digest.update(held)
            digest.update(b"".join(words[ends[place] : ends[place + 1]]))
            found.append(digest.digest())
        return found

    with ThreadPoolExecutor(threads) as pool:
        return list(chain.from_iterable(pool.map(of_some, range(0, len(places), TOGETHER))))


def _held(records: Records, places: Places) -> Iterator[memoryview]:
    """Everything that the tables hold of each of some people, as bytes. One call for each column and person took most
    of the time of a night in which few people changed."""
    parts = list(_parts(records, places))
    length = np.sum([end - begin for _, begin, end in parts], axis=0)
    ends = np.cumsum(length)
    together, cursor = np.empty(int(ends[-1]), np.uint8), ends - length
    for data, begin, end in parts:
        lay(together, cursor, data, begin, end)
    whole = memoryview(together)  # type: ignore[arg-type]
    for begin, end in zip((ends - length).tolist(), ends.tolist(), strict=True):
        yield whole[begin:end]


def _parts(records: Records, places: Places) -> Iterator[Part]:
    for table in records.tables.values():
        if table.spec.per_patient:
            yield from _rows(table, places)
    for name, versions in sorted(records.versions.items()):
        one = np.arange(len(places))
        yield _bytes(np.full(len(places), name.encode()), one, one + 1)
        yield from _rows(versions.table, places)
        for days in (versions.since, versions.until):
            yield _bytes(days, versions.offsets[places], versions.offsets[places + 1])


def _rows(table: Table, places: Places) -> Iterator[Part]:
    """The rows of one table, each column after the number of rows, so that no two tables read alike."""
    begin, end = table.offsets[places], table.offsets[places + 1]
    one = np.arange(len(places))
    yield _bytes(end - begin, one, one + 1)
    low, high = int(begin.min()), int(end.max())
    for name in sorted(table.columns):
        values = table.columns[name]
        if isinstance(values, np.ndarray):
            yield _bytes(values, begin, end)
        else:
            yield from _text(values[low:high], begin - low, end - low)


def _text(values: Any, begin: Places, end: Places) -> Iterator[Part]:
    """A column of text as the lengths of its words (-1 for null), then their bytes."""
    text = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    lengths = pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False).astype(np.int32)
    yield _bytes(lengths, begin, end)
    at = np.concatenate([[0], np.cumsum(np.maximum(lengths, 0), dtype=np.int64)])
    joined = pc.binary_join(pa.LargeListArray.from_arrays([0, len(text)], pc.fill_null(text, "")), "")[0].as_py()
    yield np.frombuffer(joined.encode(), np.uint8), at[begin], at[end]


def _bytes(values: npt.NDArray[Any], begin: Places, end: Places) -> Part:
    """A column of numbers as bytes."""
    size = values.dtype.itemsize
    return np.ascontiguousarray(values).view(np.uint8), begin * size, end * size
