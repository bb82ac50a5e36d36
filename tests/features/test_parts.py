"""A part of a kernel becomes machine code inside the kernels that call it, and nowhere else."""

import numpy as np
import pytest
from numba.core.codegen import JITCodeLibrary
from numba.core.errors import TypingError

from features.jit import jit
from features.parts import part


def chain(of):  # type: ignore[no-untyped-def]
    """Three functions, each of which calls the one before; ``of`` compiles them."""

    @of()
    def first(x, k):  # type: ignore[no-untyped-def]
        if x < 0:
            raise ValueError("x is below 0")
        return x * 2.5 + k

    @of()
    def second(x):  # type: ignore[no-untyped-def]
        return first(x, 1) / 3.0 + first(x, 2)

    @of(_nrt=True)
    def third(values, out):  # type: ignore[no-untyped-def]
        for i in range(len(values)):
            out[i] = second(values[i])
        return np.zeros(3).sum() + len(out)

    return first, third


def kernel_of(third):  # type: ignore[no-untyped-def]
    def kernel(values, out):  # type: ignore[no-untyped-def]
        return third(values, out)

    return kernel


@pytest.fixture
def emitted(monkeypatch):
    """The names of the functions of this module that numba makes machine code of."""
    names, emit = [], JITCodeLibrary._finalize_specific

    def noted(library):  # type: ignore[no-untyped-def]
        names.append(library.name.rpartition(".")[2])
        emit(library)

    monkeypatch.setattr(JITCodeLibrary, "_finalize_specific", noted)
    return lambda: [name for name in names if name in ("first", "second", "third", "kernel")]


def test_only_the_kernel_becomes_machine_code_and_its_answer_is_that_of_whole_functions(emitted):
    values = np.linspace(0.1, 9.7, 50)
    by_parts, by_functions = np.zeros(50), np.zeros(50)
    _, third = chain(part)
    assert jit()(kernel_of(third))(values, by_parts) == 50
    assert emitted() == ["kernel"]
    _, third = chain(jit)
    assert jit()(kernel_of(third))(values, by_functions) == 50
    assert set(emitted()) == {"first", "second", "third", "kernel"}
    assert by_parts.tobytes() == by_functions.tobytes() and by_parts.any()


def test_calls_with_different_constants_share_one_version(emitted):
    first, third = chain(part)
    jit()(kernel_of(third))(np.ones(2), np.zeros(2))
    assert len(first.signatures) == 1
    first, third = chain(jit)
    jit()(kernel_of(third))(np.ones(2), np.zeros(2))
    assert len(first.signatures) == 2


def test_what_a_part_raises_reaches_the_caller():
    _, third = chain(part)
    with pytest.raises(ValueError, match="x is below 0"):
        jit()(kernel_of(third))(np.array([1.0, -1.0]), np.zeros(2))


def test_a_part_that_makes_an_array_must_ask_for_it():
    @part()
    def makes_one():  # type: ignore[no-untyped-def]
        return np.zeros(3).sum()

    with pytest.raises(TypingError, match="makes_one"):
        jit()(lambda: makes_one())()
