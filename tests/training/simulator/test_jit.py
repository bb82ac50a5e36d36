"""A step counts no references, so it makes no array; what makes one says so."""

import numpy as np
import pytest
from numba.core.errors import TypingError

from training.simulator.jit import entry, making, step


def double(k):  # type: ignore[no-untyped-def]
    return np.full(k, 2.0).sum()


def entry_of(piece):  # type: ignore[no-untyped-def]
    def ask(k):  # type: ignore[no-untyped-def]
        return piece(k)

    return entry(ask)


def test_a_step_that_makes_an_array_is_refused_and_one_that_says_so_is_compiled():
    with pytest.raises(TypingError, match=r"No implementation of function.*full"):
        entry_of(step(double))(3)
    assert entry_of(making(double))(3) == 6.0
