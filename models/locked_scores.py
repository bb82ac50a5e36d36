"""Scores that are stored, locked by a hash and shown to nobody: the file format of the silent trial.

One folder a day and bundle holds ``scores.parquet``, ``left_out.parquet`` and ``about.json``. The lock is the SHA-256
over the hashes of the two tables and what ``about`` says. Published before the outcomes exist (the audit log keeps
it), it proves that nobody chose the scores afterwards.
"""

from __future__ import annotations

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
    ``left_out``: patient_id and reason. ``lock`` is the hash.
    """

    scores: pd.DataFrame
    left_out: pd.DataFrame
    about: dict[str, Any]
    lock: str


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
        if lock != kept["lock"]:
            raise LockBroken(f"{folder.name}: a file was changed after it was locked; restore it, or leave the day out")
        return LockedScores(
            pd.read_parquet(folder / "scores.parquet"),
            pd.read_parquet(folder / "left_out.parquet"),
            kept["about"],
            lock,
        )
    except (OSError, ValueError, KeyError) as error:
        raise LockBroken(f"{folder.name}: not a folder of locked scores ({type(error).__name__})") from error


def _lock(folder: Path, about: dict[str, Any]) -> str:
    parts = [hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in TABLES]
    return hashlib.sha256(json.dumps([*parts, about], sort_keys=True).encode()).hexdigest()
