"""``CompileLock``: one process at a time compiles a kernel; the others wait and load what it wrote.

Processes that start at once on a new machine (workers of a service, a nightly run beside it, shards of a build) would
each compile the same kernels, which takes minutes of processor time where one compilation takes seconds.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

SECONDS_TO_WAIT = 300.0
"""Longer than any kernel takes on a slow machine. A process that waited so long compiles for itself: the other one may
be stopped, and a lock only saves work."""
SECONDS_BETWEEN_LOOKS = 0.02


class CompileLock:
    """A lock on one file, held by one thread of one process.

    The operating system frees it when the process ends in any way, so it is never stale. Where a file cannot be locked
    (a folder that is read only, a file system without locks), nobody waits and each process compiles for itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Waits until no other process compiles. True if it had to wait, so that what it wants may be there now."""
        if self._file is not None:
            return False
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                waited = _lock(file)
            except OSError:
                os.close(file)
                raise
            self._file = file
            return waited
        return False

    def release(self) -> None:
        """Lets the next process compile. Nothing happens where the lock is not held."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)  # a child that was forked meanwhile holds the same file open
            os.close(file)


def _lock(file: int) -> bool:
    """Locks an open file. True if another process held it at first."""
    until = time.monotonic() + SECONDS_TO_WAIT
    waited = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            waited = True
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return waited


__all__ = ["CompileLock"]
