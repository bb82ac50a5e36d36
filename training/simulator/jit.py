"""Compiled entry points whose cache depends on every file of the simulator.

numba's own cache looks only at the file that holds the function, so a change in a function it calls would go unnoticed
and two machines could give different bytes for one seed. Here the stamp of the cache is a hash of all sources of this
package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit, types

NOT_COMPILED = frozenset(
    ("__init__", "observation", "oracle", "parameters", "planted", "realised", "simulation", "targets", "teams")
)
"""Modules that hold no compiled code and no constants of it (the shapes of their arrays are part of every
signature)."""


def fingerprint() -> str:
    """SHA-256 of the package's sources: changes when the mechanism may have changed."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        if path.stem not in NOT_COMPILED:
            digest.update(path.read_bytes())
    return digest.hexdigest()


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


def entry(function: Callable[..., Any]) -> Any:
    """Compile ``function`` for threads (no GIL) and cache it for as long as no source of the package changes."""
    compiled: Any = njit(function, cache=True, nogil=True)
    compiled._cache._cache_file._source_stamp = fingerprint()
    return compiled
