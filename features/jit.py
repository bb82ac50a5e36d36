"""``jit``: numba's compiler with a cache that tracks everything a kernel was compiled from.

numba's own cache watches only the file of a function. But compiled code also contains the functions it calls and the
constants it reads, often from other files, and numba would not notice a change there. The stamp of this cache is a
hash of the function and of everything it reaches.

Files of different stamps lie side by side. So two processes with different constants (two versions of a schedule, say)
neither compile again in turn nor read each other's code. Of processes that miss the same kernel at once, one compiles
it and the others wait (``features/compile_lock.py``).
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

from features import parts
from features.compile_lock import CompileLock

LIBRARIES = ("builtins", "math", "numpy", "numba")
"""Modules that change only with their library; numba's cache knows the library's version."""
DECORATORS = parts.__name__
"""Says how a part is compiled, not what."""


STAMPS_KEPT = 8
"""How many versions of a kernel stay on disk, newest first."""


class Unstampable(TypeError):
    """A kernel reads something that cannot be hashed. The message names the kernel and the name."""


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that compiles a function for threads (no interpreter lock) and caches it until the function, a
    function it calls, or a constant it reads changes. ``options`` go to ``numba.njit``. A kernel that makes no array
    is given ``_nrt=False``: it counts no references to its arrays, and compiles faster.
    """

    def compile_it(function: Callable[..., Any]) -> Any:
        compiled: Any = njit(**({"nogil": True} | options))(function)
        compiled._cache = cache = StampedCache(function, repr(sorted(options.items())))
        compiled.compile = cache.releasing(compiled.compile)
        return compiled

    return compile_it


def inlined(function: Callable[..., Any]) -> Any:
    """Decorator: compiles a piece of a kernel, which becomes part of the kernel's machine code.

    A piece counts no references to the arrays it is given: the kernel holds them. Counting took 97% of the time of a
    walk over events. So a piece makes no array (numba refuses to compile one that does) and returns only numbers.
    """
    return parts.part(forceinline=True, _nrt=False)(function)


def fingerprint(function: Callable[..., Any], options: str = "") -> str:
    """SHA-256 of a Python function's code, of every function it calls and of every constant it reads."""
    digest = hashlib.sha256(options.encode())
    for piece in _pieces(function, set()):
        digest.update(piece.encode())
        digest.update(b"\0")
    return digest.hexdigest()


class StampedCache(FunctionCache):
    """numba's cache with the fingerprint as its stamp, computed at first use, when every module has been imported."""

    def __init__(self, function: Callable[..., Any], options: str) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._function, self._options, self._stamped = function, options, False
        self._lock = CompileLock(Path(self.cache_path) / f"{self._impl.filename_base}.lock")

    def releasing(self, compile_it: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """``compile_it``, numba's method that loads or compiles, after which the next process may compile."""

        @wraps(compile_it)
        def compile_one(sig: Any) -> Any:
            with global_compiler_lock:
                try:
                    return compile_it(sig)
                finally:
                    self._lock.release()

        return compile_one

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        self._stamp()
        found = super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        if found is None and self._lock.take():
            found = super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        self._stamp()
        super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        remove_old(Path(self.cache_path), self._impl.filename_base)

    def _stamp(self) -> None:
        if not self._stamped:
            stamp = fingerprint(self._function, self._options)
            base = f"{self._impl.filename_base}.{stamp[:16]}"
            self._cache_file = IndexDataCacheFile(self.cache_path, base, stamp)  # type: ignore[no-untyped-call]
            self._stamped = True


def remove_old(folder: Path, base: str) -> None:
    """Removes the files of a kernel but for its newest stamps. Another process may remove or replace them meanwhile."""
    written: dict[str, list[tuple[float, Path]]] = {}
    for file in folder.glob(f"{escape(base)}.*.nb[ci]"):
        with suppress(OSError):
            stamp = file.name.removeprefix(f"{base}.").partition(".")[0]
            written.setdefault(stamp, []).append((file.stat().st_mtime, file))
    for files in sorted(written.values(), key=max, reverse=True)[STAMPS_KEPT:]:
        for _, file in files:
            file.unlink(missing_ok=True)


def _pieces(function: Callable[..., Any], seen: set[int]) -> Iterator[str]:
    if id(function) in seen:
        return
    seen.add(id(function))
    code = function.__code__
    yield f"{function.__module__}.{function.__qualname__}{function.__defaults__!r}"
    names: set[str] = set()
    for part in _codes(code):
        constants = [c for c in part.co_consts if not isinstance(c, types.CodeType) and c != function.__doc__]
        yield f"{part.co_code.hex()}{constants!r}{part.co_names!r}{part.co_varnames!r}{part.co_exceptiontable.hex()}"
        names.update(part.co_names)
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    values = {name: cell.cell_contents for name, cell in cells}
    values |= {n: function.__globals__[n] for n in names if n in function.__globals__}
    for name in sorted(values):
        yield from _value(f"{function.__module__}.{function.__qualname__}", name, values[name], names, seen)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _value(kernel: str, name: str, value: Any, names: set[str], seen: set[int]) -> Iterator[str]:
    if isinstance(value, Dispatcher):
        yield f"{name}={value.targetoptions!r}"
        yield from _pieces(value.py_func, seen)
    elif isinstance(value, types.ModuleType):
        yield f"{name}={value.__name__}"
        if not _of_library(value.__name__):
            for read in sorted(names & vars(value).keys()):
                yield from _value(kernel, f"{name}.{read}", getattr(value, read), names, seen)
    elif value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        yield f"{name}={type(value).__name__}:{value!r}"
    elif isinstance(value, np.ndarray):
        yield f"{name}={value.dtype}{value.shape}{value.tobytes().hex()}"
    elif isinstance(value, np.dtype):
        yield f"{name}={value.descr!r}"
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from _value(kernel, f"{name}[{place}]", part, names, seen)
    elif _of_library(getattr(value, "__module__", None) or ""):
        yield f"{name}={value!r}" if isinstance(value, type) else f"{name}={getattr(value, '__name__', name)}"
    elif isinstance(value, types.FunctionType):
        yield from _pieces(value, seen)
    elif isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields"):
        yield f"{name}={value.__module__}.{value.__qualname__}{value._fields!r}"
    else:
        raise Unstampable(
            f"{kernel} reads {name}, a {type(value).__name__}: compiled code may read numbers, text, arrays, "
            "types of arrays, tuples of these, named tuples, modules and compiled functions, so that any change is "
            "noticed"
        )


def _of_library(module: str) -> bool:
    return module.partition(".")[0] in LIBRARIES or module == DECORATORS


__all__ = ["StampedCache", "Unstampable", "fingerprint", "inlined", "jit"]
