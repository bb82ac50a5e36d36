"""Sets stored as the bits of one word, for compiled loops: which streams an event belongs to, which tests are
wanted.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from features.parts import part

BITS = 64
ALL = np.uint64(2**64 - 1)
PAIRS, FOURS, EIGHTS, ONES = (
    np.uint64(0x5555555555555555),
    np.uint64(0x3333333333333333),
    np.uint64(0x0F0F0F0F0F0F0F0F),
    np.uint64(0x0101010101010101),
)
"""Every other bit, every other two, every other four, and one bit in each byte: bits are added up side by side."""


@part(inline="always")
def lowest_bit(mask):
    """Position of the lowest set bit; the mask (uint64) must not be 0. One instruction, because a loop over 64
    positions took most of a walk's time.
    """
    return trailing_zeros(mask)  # type: ignore[call-arg]  # an intrinsic: numba hands it the first argument


@part()
def bits_set(mask):
    """Number of set bits of a mask (uint64)."""
    mask -= (mask >> np.uint64(1)) & PAIRS
    mask = (mask & FOURS) + ((mask >> np.uint64(2)) & FOURS)
    mask = (mask + (mask >> np.uint64(4))) & EIGHTS
    return np.int64((mask * ONES) >> np.uint64(56))


@part()
def places_between(word, first, last):
    """The bits of one word of a long set that stand for its places ``first`` .. ``last - 1``."""
    low, high = first - BITS * word, last - BITS * word
    if high <= 0 or low >= BITS or high <= low:
        return np.uint64(0)
    found = ALL if low <= 0 else ALL << np.uint64(low)
    return found if high >= BITS else found & (ALL >> np.uint64(BITS - high))


@part()
def add_places(words, first, last):
    """Adds the places ``first`` .. ``last - 1`` to a long set, whose words hold 64 places each."""
    if first < last:
        for k in range(first // BITS, (last - 1) // BITS + 1):
            words[k] |= places_between(k, first, last)
