"""Bulky values in few bytes: numbers without their zeros, and what LZ4 makes shorter. What is read is what was written,
bit for bit.

A packed value begins with a byte for its form and four for its size, and its length is odd. Rows of older releases hold
numbers as they are, whose length is even, and JSON as text; both are still read.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from struct import Struct
from typing import Any

import numpy as np
from sqlalchemy import JSON, Dialect, LargeBinary, TypeDecorator

from features.errors import UpstreamError

WITHOUT_ZEROS, LZ4, LZ4_AND_A_BYTE = 1, 2, 3
"""The forms. A compressed value of even length is followed by a byte, so that the whole is odd."""
HEAD = Struct("<BI")
SHORTEST = 200
"""Bytes of the shortest JSON that is compressed: less of it gains nothing."""


class UnknownForm(UpstreamError):
    """A packed value has a form that this release does not know."""


def without_zeros(data: bytes) -> bytes:
    """Float64 numbers as one bit each, which says whether it is there, and those that are not zero."""
    if not data:
        return data
    words = np.frombuffer(data, "<u8")  # as whole numbers: -0.0 and every kind of NaN stay as they are
    kept = words != 0
    bits = np.packbits(kept).tobytes()
    packed = HEAD.pack(WITHOUT_ZEROS, len(words)) + bits + bytes(len(bits) % 2) + words[kept].tobytes()
    return min(packed, data, key=len)


def rows_without_zeros(numbers: np.ndarray) -> list[bytes]:
    """:func:`without_zeros` of each row of a matrix, in one pass over all of them."""
    rows = np.ascontiguousarray(numbers, "<f8")
    words = rows.view("<u8")
    kept = words != 0
    ends = np.concatenate(([0], np.cumsum(kept.sum(axis=1)))) * words.itemsize
    head, there, bits = HEAD.pack(WITHOUT_ZEROS, words.shape[1]), words[kept].tobytes(), np.packbits(kept, axis=1)
    filler = bytes(bits.shape[1] % 2)
    found = []
    for row, mine, (low, high) in zip(rows, bits, pairwise(ends.tolist()), strict=True):
        packed = head + mine.tobytes() + filler + there[low:high]
        found.append(packed if len(packed) <= row.nbytes else row.tobytes())
    return found


def compressed(data: bytes) -> bytes:
    """Data as LZ4 packs it, where that is shorter."""
    body = _arrow().compress(data, codec="lz4_raw", asbytes=True)
    form, filler = (LZ4_AND_A_BYTE, b"\0") if len(body) % 2 else (LZ4, b"")
    return min(HEAD.pack(form, len(data)) + body + filler, data, key=len)


def plain(data: bytes) -> bytes:
    """What was packed. Data of an even length was not."""
    if len(data) % 2 == 0:
        return data
    form, size = HEAD.unpack_from(data)
    if form == WITHOUT_ZEROS:
        length = -(-size // 8)
        first = HEAD.size + length + length % 2
        kept = np.unpackbits(np.frombuffer(data, "u1", length, HEAD.size), count=size).view(bool)
        words = np.zeros(size, "<u8")
        words[kept] = np.frombuffer(data, "<u8", offset=first)
        return words.tobytes()
    if form in (LZ4, LZ4_AND_A_BYTE):
        end = len(data) - (form == LZ4_AND_A_BYTE)
        found = _arrow().decompress(memoryview(data)[HEAD.size : end], size, codec="lz4_raw", asbytes=True)
        return bytes(found)
    raise UnknownForm(f"a value is packed in form {form}, which this release does not know: run a later release")


def _arrow() -> Any:
    import pyarrow  # here: most commands read no packed value, and loading it takes longer than they do

    return pyarrow


class Numbers(TypeDecorator[bytes]):
    """Numbers as little-endian bytes of four or eight each, stored as ``pack`` makes them."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, pack: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.pack = pack

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        if len(value) % 2:
            raise ValueError("numbers have an even number of bytes: an odd one marks what is packed")
        return self.pack(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else plain(value)


class LongJSON(TypeDecorator[Any]):
    """JSON that SQLite keeps compressed. PostgreSQL compresses long values by itself."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        text_of = super().bind_processor(dialect)
        if dialect.name != "sqlite" or text_of is None:
            return text_of
        return lambda value: packed_text(text_of(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        value_of = super().result_processor(dialect, coltype)
        if dialect.name != "sqlite" or value_of is None:
            return value_of
        return lambda stored: value_of(plain_text(stored))


def packed_text(text: str | None) -> str | bytes | None:
    if text is None or len(text) < SHORTEST:
        return text
    packed = compressed(data := text.encode())
    return text if packed is data else packed


def plain_text(stored: str | bytes | None) -> str | None:
    """The text of JSON as SQLite stores it."""
    return plain(stored).decode() if isinstance(stored, bytes) else stored
