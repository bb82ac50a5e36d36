"""Sets stored as the bits of one word, for compiled loops: which streams an event belongs to, which tests are
wanted.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from features.parts import part


@part(inline="always")
def lowest_bit(mask):
    """Position of the lowest set bit; the mask (uint64) must not be 0. One instruction, because a loop over 64
    positions took most of a walk's time.
    """
    return trailing_zeros(mask)  # type: ignore[call-arg]  # an intrinsic: numba hands it the first argument


@part()
def bits_set(mask):
    """Number of set bits."""
    found = 0
    while mask != 0:
        mask &= mask - np.uint64(1)
        found += 1
    return found
