"""Counts the rows that a store held and the extract that replaces it no longer holds.

An extract replaces the whole store: a row that it no longer holds is withdrawn, for earlier days too. It is
counted by table and reported, because a feed that lost rows looks like care that stopped. ``--into`` only adds, and a
ledger (FHIR) keeps what an export lacks, so that the store of an earlier day can be rebuilt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.reading.files import read_folder
from features.records.records import Records

KEYS: dict[str, tuple[str, ...]] = {
    "patients": ("patient_id",),
    "circumstances": ("patient_id", "kind", "from_on"),
    "teams": ("team_id",),
    "referrals": ("patient_id", "referral_id"),
    "contacts": ("patient_id", "contact_id"),
    "supplies": ("patient_id", "medicine", "supplied_on"),
    "results": ("patient_id", "test", "taken_on"),
    "stays": ("patient_id", "admitted_on"),
    "conditions": ("patient_id", "category", "code", "recorded_on"),
}
"""The columns that identify a row in a later extract."""


def withdrawn(before: Path, now: Records) -> dict[str, int]:
    """How many rows of each table the store at ``before`` holds and ``now`` does not; tables with none are left out."""
    files, _ = read_folder(before)
    found = {}
    for name, keys in KEYS.items():
        if name not in files:
            continue
        earlier = pd.DataFrame({key: files[name][key] for key in keys})
        lost = int((~np.isin(_hashed(earlier), _hashed(now.with_versions(name)[list(keys)]))).sum())
        if lost:
            found[name] = lost
    return found


def replace_store(now: Records, folder: str | Path, format: Literal["parquet", "csv"] = "parquet") -> Path:
    """Saves the records; where a store is replaced, their report names what was withdrawn."""
    if (Path(folder) / "about.json").exists():
        now.report.withdrawn = withdrawn(Path(folder), now)
    return now.save(folder, format)


def _hashed(frame: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """One hash a row; a day is the same as a date, as a time and as text."""
    text = {str(name): values.astype("str") for name, values in frame.items()}
    days = {name: values.str.slice(0, 10) for name, values in text.items() if name.endswith("_on")}
    hashes = pd.util.hash_pandas_object(pd.DataFrame(text | days).fillna(""), index=False)
    return np.asarray(hashes, dtype=np.uint64)


__all__ = ["replace_store", "withdrawn"]
