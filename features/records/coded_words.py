"""Encodes a text column as codes and distinct words, so that each word is examined once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.records.table import FEW, words_of


def coded_words(column: Any) -> tuple[npt.NDArray[np.int64], list[str | None]]:
    """(code of each row, words by code) of an Arrow text column; code -1 reads the last word, None, where the row has
    none."""
    if len(column) <= FEW:
        places, words = words_of(column)
        return places.astype(np.int64), [*words, None]
    coded = column.combine_chunks() if hasattr(column, "chunks") else column
    coded = coded.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [*coded.dictionary.to_pylist(), None]
