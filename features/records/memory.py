"""Returns memory to the system. Reading an extract takes several times the memory of the result, and allocators
keep what was freed.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

LARGE_LIBRARIES = ("libllvmlite", "libarrow", "libparquet")
"""Libraries of tens of megabytes of which a process needs little once it has started: the compiler behind numba, and
Arrow, which is read as a whole when it is loaded. A service held 374 MB after a request of 500 people with Arrow's code
and pool, and 312 MB without."""
_DONT_NEED, _ARENA_MAX = 4, -8
"""``MADV_DONTNEED`` of Linux and ``M_ARENA_MAX`` of glibc."""


def one_heap() -> None:
    """Has all threads share one heap where the C library is glibc, which would keep one each, with its own half-empty
    pages.

    Fifty people reading for a minute left a service at 427 MB, and at 373 with this. Arrow takes its memory from there
    too: its own pool held 13 MB more after a request of 500 people. Call it before threads start.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if option is not None:
        option(_ARENA_MAX, 1)


def give_back() -> None:
    """Returns to the system what is not needed now: Arrow's pool, the C library's heap where that is glibc, and the
    code of large libraries. Takes milliseconds.

    Of 20,000 simulated people 1,244 MB stood after loading and 488 MB after this.
    """
    pa.default_memory_pool().release_unused()
    forget_code(*LARGE_LIBRARIES)
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def forget_code(*libraries: str) -> int:
    """Drops the machine code of loaded libraries, by the begin of their names, from memory and returns how many bytes;
    it comes back from disk page by page when it is called.

    The compiler behind numba (``libllvmlite``) is 84 MB that a service has no use for once its kernels are loaded.
    Only pages that can be executed and never written are dropped: the rest of a library holds what the loader wrote
    there. Does nothing but on Linux.
    """
    if sys.platform != "linux":
        return 0
    try:
        mappings = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:  # a root without /proc
        return 0
    forgotten, advise = 0, ctypes.CDLL(None).madvise
    for line in (one for one in mappings if any(library in one for library in libraries)):  # few of a thousand
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-xp .*/([^/]+)$", line)
        if found and found[3].startswith(libraries):
            start, end = int(found[1], 16), int(found[2], 16)
            if advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED) == 0:
                forgotten += end - start
    return forgotten


_PAUSED = threading.Lock()
_pauses = 0


@contextmanager
def no_collecting() -> Iterator[None]:
    """Pauses the search for unreachable circles of objects while many small values are made.

    A run over many people makes millions of values and no circle. Searching them took a quarter of the time. The last
    of several pauses at one time starts the search again, which takes what was made as old: it need not be searched at
    once.
    """
    global _pauses
    with _PAUSED:
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _PAUSED:
            _pauses -= 1
            if not _pauses:
                if not gc.get_freeze_count():  # together these two move all values to the oldest generation
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()
