"""Compiled parts of the simulator's day, and the entry points that Python calls.

An entry point is cached until anything that it was compiled from changes (features/jit.py), so that two machines never
give different bytes for one seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types

from features.jit import jit


def step(function: Callable[..., Any]) -> Any:
    """A compiled part of an entry point, called from compiled code only.

    Two things keep compilation short: no wrapper for Python is built, and a call with a constant reuses the code for
    any whole number (numba would compile ``emit`` once for each constant it is called with).
    """
    part: Any = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)  # type: ignore[call-overload]
    with_constants = part.get_call_template

    def without_constants(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        plain: Callable[[Any], Any] = types.unliteral
        return with_constants(tuple(plain(a) for a in args), {k: plain(v) for k, v in kws.items()})

    part.get_call_template = without_constants
    return part


entry = jit()
"""Compiles a function that Python calls, for threads (no interpreter lock)."""
