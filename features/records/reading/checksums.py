"""Checksums of the Parquet files of a store, kept in its ``about.json`` and compared before a file is read.

CRC-32, because it finds every single flipped bit and costs a twentieth of loading; SHA-256 would cost half of it. It
guards against damaged disks and copies. It does not guard against people who can write the store: they can write
``about.json`` too.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from features.records.problems import RecordsProblem
from features.records.tables import TABLES

CHECKSUMS = "checksums"
"""The entry of ``about.json``: the checksum of each Parquet file by its name."""
BLOCK = 1 << 20
AT_ONCE = 4


def checksum_of(path: Path) -> str:
    """The CRC-32 of a file and its size in bytes, as ``crc32:<8 hex digits>:<bytes>``."""
    found = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found = zlib.crc32(block, found)
        return f"crc32:{found:08x}:{os.fstat(file.fileno()).st_size}"


def checksums_of(folder: Path) -> dict[str, str]:
    """The checksum of every Parquet file that lies directly in ``folder``, by name."""
    return _found(sorted(folder.glob("*.parquet")))


def damaged(folder: Path, about: Mapping[str, Any]) -> list[RecordsProblem]:
    """One problem for each Parquet file that is missing or changed. Empty for a store without checksums."""
    written = about.get(CHECKSUMS)
    if not isinstance(written, Mapping):
        return []
    there = [folder / name for name in sorted(written) if (folder / name).is_file()]
    found = _found(there)
    problems = []
    for name in sorted(written):
        if name not in found and Path(name).stem in TABLES:
            continue  # the caller that loads the store says which tables it needs
        if found.get(name) != written[name]:
            what = "is not as it was written" if name in found else "is not there"
            problems.append(
                RecordsProblem(
                    Path(name).stem,
                    f"{name} {what}: its checksum in about.json does not match",
                    "the file that upstream ingest wrote",
                    "restore the store from the backup, or remove it and ingest again; then check the disk",
                )
            )
    return problems


def without_checksums(about: Mapping[str, Any]) -> dict[str, Any]:
    """What ``about.json`` says, for a store whose files are other files."""
    return {name: value for name, value in about.items() if name != CHECKSUMS}


def _found(paths: Iterable[Path]) -> dict[str, str]:
    paths = list(paths)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return {path.name: found for path, found in zip(paths, threads.map(checksum_of, paths), strict=True)}
