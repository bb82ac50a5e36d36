"""Finds the latest version in each chain (sorted by name and export), and the day from which it has its content."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]


def latest(code: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Whether each version is the last of its name; ``code`` numbers the names, in runs."""
    last = np.ones(len(code), np.bool_)
    last[:-1] = code[1:] != code[:-1]
    return last


def seen_since(code: npt.NDArray[np.int32], content: Hashes, alive: npt.NDArray[np.bool_], seen: Days) -> Days:
    """The day from which each version has its content: the day of the first of consecutive equal versions. After a
    deletion the chain starts again.
    """
    begins = np.ones(len(code), np.bool_)
    begins[1:] = (code[1:] != code[:-1]) | (content[1:] != content[:-1]) | (alive[1:] != alive[:-1])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(code)), 0)) if len(code) else np.zeros(0, np.int64)
    return seen[first]
