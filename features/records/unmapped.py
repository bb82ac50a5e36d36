"""Counts by person the supplies that no score can use: their medicine is in no reference table, so the row was set
aside.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from features.records.records import Records


def unknown_medicines(records: Records, folder: str | Path | None = None) -> dict[str, int]:
    """Supplies of medicines we do not know, by person: those set aside now, and when the store was written.

    ``folder`` is not needed any more: records remember what their store set aside.
    """
    unread = records.unread
    counts = Counter(
        str(records.patient_ids[place])
        for place, (table, column, *_) in zip(unread.patient.tolist(), unread.words, strict=True)
        if (table, column) == ("supplies", "medicine")
    )
    return dict(counts)
