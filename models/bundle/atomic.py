"""Atomic writes, and the lock of a folder of bundles.

Files are written next to their target under a hidden name, synced to disk, and renamed, so a target is always whole.
A name that ends in ``PARTIAL`` is never read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.errors import BundleBusy, BundleUnwritable

LOCK = ".lock"
PARTIAL = ".partial"


def beside(path: Path) -> Path:
    """A new hidden name next to ``path``."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}{PARTIAL}"


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes a folder of files. Either all of it appears or nothing."""
    partial = beside(folder)
    partial.mkdir()
    try:
        for name, data in contents.items():
            _write_file(partial / name, data)
        _sync_folder(partial)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _sync_folder(folder.parent)


def _write_file(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_pointer(root: Path, pointer: str, bundle_id: str) -> None:
    """Replaces a pointer file by one rename."""
    partial = beside(root / pointer)
    _write_file(partial, f"{bundle_id}\n".encode())
    partial.replace(root / pointer)
    _sync_folder(root)


def sweep(root: Path) -> None:
    """Removes the remains of a killed publisher. The caller holds the lock, so none of it is in use."""
    for path in root.glob(f".*{PARTIAL}"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(root: Path, wait_seconds: float) -> Iterator[None]:
    """Holds the root's publisher lock. The operating system frees it when the process ends."""
    with (root / LOCK).open("ab") as file:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BundleBusy(
                        f"another publisher has held {root / LOCK} for {wait_seconds:g} s; wait for it to end, then "
                        f"try again"
                    ) from None
                time.sleep(0.05)
        yield


@contextlib.contextmanager
def writing_to(where: Path) -> Iterator[None]:
    """Turns an ``OSError`` into ``BundleUnwritable``."""
    try:
        yield
    except OSError as error:
        raise BundleUnwritable(
            f"{where}: {error.strerror or error}; nothing was changed. Free space or fix permissions, then try again"
        ) from error
