"""One process at a time works on the lists of a home: a nightly run, silent scoring or an erasure."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import UpstreamError
from serving.storage.database import Database


class AlreadyRunning(UpstreamError):
    """Another process works on the lists of this home; the message says what it does and names the process."""


def staging_folder(database: Database, store: Path) -> Path:
    """Where unfinished runs and the lock are: next to the database if that is a file, else next to the store."""
    file = database.url.database if database.url.get_backend_name() == "sqlite" else None
    return (Path(file).parent if file else store.parent) / "nightly"


@contextmanager
def only_runner(folder: Path, what: str = "nightly run") -> Iterator[int]:
    """Holds the lock of ``folder`` and returns the lock's file number, for a forked worker to close. The operating
    system frees the lock when the process ends in any way, so it is never stale."""
    folder.mkdir(parents=True, exist_ok=True)
    # Rows about people will be stored here.
    folder.chmod(0o700)
    with (folder / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            process, _, does = lock.read().strip().partition(" ")
            raise AlreadyRunning(
                f"another {does or 'nightly run'} (process {process or 'unknown'}) is at work on this home; nothing "
                f"was done. Wait for it to end, then run again"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} {what}\n")
        lock.flush()
        yield lock.fileno()


def remove_staged(folder: Path, keep: str = "") -> None:
    """Removes every unfinished run of this folder except ``keep``. Use it under ``only_runner``."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != keep:
            shutil.rmtree(path)
