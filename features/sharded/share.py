"""The shards that one run builds: all of them, or one job's share of a job array."""

from __future__ import annotations

import re
from dataclasses import dataclass

from features.sharded.partition import StoreError

_WRITTEN = re.compile(r"(?:(?P<first>\d{1,7})(?:-(?P<last>\d{1,7}))?/)?(?P<shards>\d{1,7})")


@dataclass(frozen=True)
class Share:
    """Shards ``first`` to ``last`` (both counted, from 0) of ``shards``."""

    first: int
    last: int
    shards: int

    @property
    def whole(self) -> bool:
        """True if no other job builds a shard."""
        return self.first == 0 and self.last == self.shards - 1


def share_of(words: str) -> Share:
    """Reads ``400`` (all of 400 shards), ``0-99/400`` or ``7/400``. Raises StoreError for anything else."""
    found = _WRITTEN.fullmatch(words.strip())
    if found is None:
        raise StoreError("--shards is a number (400), or the shards of one job of an array (0-99/400, 7/400)")
    shards = int(found["shards"])
    first = int(found["first"] or 0)
    last = int(found["last"] or (first if found["first"] else shards - 1))
    if shards < 1 or not first <= last < shards:
        raise StoreError("--shards A-B/N counts from 0: A is at most B, and B is less than N, which is at least 1")
    return Share(first, last, shards)
