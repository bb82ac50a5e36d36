"""Who has supplies that no score can read: medicines that no reference table knows, counted by person from the rows
that were set aside."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd

from features.records.records import Records


def unknown_medicines(records: Records, folder: str | Path | None = None) -> dict[str, int]:
    """Supplies of medicines we do not know, by person: those set aside now, and when the store in ``folder`` was
    written."""
    counts: Counter[str] = Counter()
    earlier = None if folder is None else Path(folder) / "quarantine.csv"
    frames = [records.quarantine]
    if earlier is not None and earlier.exists():
        frames.append(pd.read_csv(earlier, dtype="str"))
    for frame in frames:
        if len(frame):
            aside = frame[(frame["table"] == "supplies") & (frame["column"] == "medicine")]
            counts.update(str(json.loads(row).get("patient_id")) for row in aside["values"])
    return dict(counts)
