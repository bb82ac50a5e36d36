"""Sets as the bits of one word, inside compiled loops: which streams an event belongs to, which tests were asked
for."""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from features.jit import jit


@jit(inline="always")
def lowest_bit(mask):
    """Place of the lowest bit that is set; the mask (uint64) must not be 0. One instruction, where a loop over 64
    places took most of a walk."""
    return trailing_zeros(mask)  # type: ignore[call-arg]  # an intrinsic: numba hands it the first argument


@jit()
def bits_set(mask):
    """How many bits are set."""
    found = 0
    while mask != 0:
        mask &= mask - np.uint64(1)
        found += 1
    return found
