"""A new NHS number key without a full ingest: people keep their ids, and the new key finds them.

An id is made once, by the key of its day. The new key gets a file beside it that says which id each of its own keyed
hashes stands for, so that every extract, request and hook that names a number finds the same person. The file holds no
number, and without the new key it says nothing. Then the old key can be destroyed.

Ids at rest still have the text that the old key made. Somebody who has the old key can test a number against them, so
a key that is known to somebody is not rotated this way: ingest everything again under a new key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.records.reading.nhs_numbers import KeyProblem, NhsKey, is_one, known_file


@dataclass(frozen=True)
class Rotation:
    """How many people keep their ids under the new key, and how many of the old key were in no row of the file."""

    old_key: str
    new_key: str
    people: int
    not_found: int

    def as_dict(self) -> dict[str, Any]:
        return {"old_key": self.old_key, "new_key": self.new_key, "people": self.people, "not_found": self.not_found}


def rotated(old: NhsKey, new: NhsKey, numbers: Iterable[str], held: Iterable[str]) -> tuple[dict[str, str], Rotation]:
    """The ids from before ``new``, by the digits that it makes. ``held`` are the ids in use; of ``numbers``, those of
    nobody in use are left out. Raises ``KeyProblem`` where both keys have one id or secret."""
    if old.key_id == new.key_id or old.secret == new.secret:
        raise KeyProblem("the new NHS number key has the id or the digits of the old one; make one with another id")
    earlier = set(old.known.values())
    mine = {one for one in held if one.startswith(f"{old.key_id}.") or one in earlier}
    ids: dict[str, str] = {}
    for number in numbers:
        if is_one(number) and (before := old.pseudonym(number)) in mine:
            ids[new.digits(number)] = before
    found = len(set(ids.values()))
    return ids, Rotation(old.key_id, new.key_id, found, len(mine) - found)


def write_known(key_file: Path, key_id: str, ids: dict[str, str]) -> None:
    """Writes the ids from before a key beside it, whole or not at all, for its owner alone."""
    path = known_file(key_file)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump({"key_id": key_id, "ids": ids}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
