"""Scores that are stored, locked by a hash and not shown: the file format of the silent trial.

One folder a day and bundle holds ``scores.parquet``, ``left_out.parquet`` and ``about.json``. The lock is the SHA-256
over the hashes of the two tables and what ``about`` says. The audit log keeps the lock before the outcomes exist,
which proves that the scores were not chosen afterwards.

Erasing a person changes the tables. The published lock stays in ``about.json``, with the number of erased rows and the
hash of the present files. So erasure and tampering can be distinguished.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from models.errors import LockBroken

FOLDER = "silent"
"""The folder of a home that holds them."""
TABLES = ("scores", "left_out")


@dataclass(frozen=True)
class LockedScores:
    """``scores``: patient_id, team_id, as_of, place, slots, worst_gap and one column for each outcome and horizon.
    ``left_out``: patient_id and reason. ``lock`` is the published hash. ``erased_rows`` were erased since, and
    ``lock_now`` is the hash of what is left; empty if nothing was erased.
    """

    scores: pd.DataFrame
    left_out: pd.DataFrame
    about: dict[str, Any]
    lock: str
    erased_rows: int = 0
    lock_now: str = ""


def write_locked(folder: Path, scores: pd.DataFrame, left_out: pd.DataFrame, about: dict[str, Any]) -> str:
    """Writes a new folder, whole or not at all, and returns the lock. Raises LockBroken if the folder exists: locked
    scores are never replaced.
    """
    if folder.exists():
        raise LockBroken(f"{folder.name} is locked already: silent scores of one day and model are made once")
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    try:
        scores.to_parquet(beside / "scores.parquet", index=False)
        left_out.to_parquet(beside / "left_out.parquet", index=False)
        lock = _lock(beside, about)
        (beside / "about.json").write_text(json.dumps({"about": about, "lock": lock}, indent=2) + "\n")
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return lock


def read_locked(folder: Path) -> LockedScores:
    """The locked scores of a folder. Raises LockBroken if a file is missing or was changed."""
    try:
        kept = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        lock = _lock(folder, kept["about"])
        erased = kept.get("erased", {"rows": 0, "lock_now": ""})
        if lock != (erased["lock_now"] or kept["lock"]):
            raise LockBroken(f"{folder.name}: a file was changed after it was locked; restore it, or leave the day out")
        return LockedScores(
            pd.read_parquet(folder / "scores.parquet"),
            pd.read_parquet(folder / "left_out.parquet"),
            kept["about"],
            kept["lock"],
            erased["rows"],
            erased["lock_now"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise LockBroken(f"{folder.name}: not a folder of locked scores ({type(error).__name__})") from error


@dataclass(frozen=True)
class ErasedRows:
    """The effect of an erasure on one folder: its published lock, the hash of what is left, and the number of erased
    rows."""

    lock: str
    lock_now: str
    rows: int


def erase_locked(home: Path, person: str) -> list[ErasedRows]:
    """Erases a person's rows from every locked folder of a home, and from the blind rating. Each folder is replaced
    whole. Raises LockBroken for a folder that was changed before; then nothing of it is erased.
    """
    found = []
    for folder in locked_folders(home):
        locked = read_locked(folder)
        tables = {name: getattr(locked, name) for name in TABLES}
        left = {name: table[table["patient_id"].astype(str) != person] for name, table in tables.items()}
        rows = sum(len(tables[name]) - len(left[name]) for name in TABLES)
        if not rows:
            continue
        beside = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        for name, table in left.items():
            table.to_parquet(beside / f"{name}.parquet", index=False)
        now = _lock(beside, locked.about)
        kept = {
            "about": locked.about,
            "lock": locked.lock,
            "erased": {"rows": locked.erased_rows + rows, "lock_now": now},
        }
        (beside / "about.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old)
        found.append(ErasedRows(locked.lock, now, rows))
    _erase_from_rating(home / FOLDER / "rating" / "rating.csv", person)
    return found


def locked_folders(home: Path) -> list[Path]:
    """The folders of locked scores of a home, oldest first."""
    return sorted(path for path in (home / FOLDER).glob("*-*") if (path / "about.json").exists())


def locked_rows(home: Path, person: str) -> list[dict[str, Any]]:
    """Every locked row about a person."""
    found: list[dict[str, Any]] = []
    for folder in locked_folders(home):
        locked = read_locked(folder)
        for table in (locked.scores, locked.left_out):
            own = table[table["patient_id"].astype(str) == person]
            for row in own.to_dict("records"):
                found.append({"as_of": locked.about["as_of"]} | {str(name): value for name, value in row.items()})
    return found


def _erase_from_rating(path: Path, person: str) -> None:
    """Takes the person's case out of the blind rating; the others keep their numbers."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    left = [line for line in lines if person not in line]
    if len(left) == len(lines):
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(left)
    beside.chmod(0o600)
    beside.replace(path)


def _lock(folder: Path, about: dict[str, Any]) -> str:
    parts = [hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in TABLES]
    return hashlib.sha256(json.dumps([*parts, about], sort_keys=True).encode()).hexdigest()
