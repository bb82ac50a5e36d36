"""Dates when each row became known: by the ledger, by the resource itself, or by a Provenance of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY, to_datetime64
from features.records.sources.fhir.linking.slices import DayByKey

Days = npt.NDArray[np.int32]
LATE_DAYS = 30
"""meta.lastUpdated dates a late column only if it is 0 to this many days after the event."""


@dataclass
class Seen:
    """The day on which the ledger first received each resource's content, and its late part. NO_DAY if the first
    export held it.
    """

    base: Days | None = None
    late: Days | None = None

    def of(self, source: npt.NDArray[np.int32], *, late: bool = False) -> Days:
        days = self.late if late else self.base
        return np.full(len(source), NO_DAY, np.int32) if days is None else days[source]


def days_of_provenance(slices: Iterable[pd.DataFrame]) -> tuple[DayByKey, DayByKey]:
    """The first creation and the last update that a Provenance records, by resource."""
    keys, days, created = [], [], []
    for rows in slices:
        keys.append(rows["key"].to_numpy(np.uint64))
        days.append(rows["recorded"].to_numpy(np.int32))
        created.append((rows["activity"] == "CREATE").to_numpy(bool))
    key, day, new = np.concatenate(keys), np.concatenate(days), np.concatenate(created)
    return DayByKey.earliest(key[new], day[new]), DayByKey.latest(key[~new], day[~new])


class Clocks:
    """``keys`` are the hashed keys of all resources, by number. ``counts`` are the rows of each table by the rule that
    dated when they became known.
    """

    def __init__(self, keys: npt.NDArray[np.uint64], seen: Seen, created: DayByKey, updated: DayByKey) -> None:
        self.keys, self.seen, self.created, self.updated = keys, seen, created, updated
        self.counts: dict[str, dict[str, int]] = {}

    def _keys(self, rows: pd.DataFrame) -> npt.NDArray[np.uint64]:
        """The hashed key of the resource of each row."""
        return self.keys[rows["source"].to_numpy(np.int32)]

    def known(self, name: str, rows: pd.DataFrame, event: Days, *, ahead: bool = False) -> npt.NDArray[np.datetime64]:
        """The day on which each row became known: the ledger's day, or the day that the resource gives. Missing where
        the usual delay is applied later. ``ahead`` rows (bookings) may be known before they happen.
        """
        source = rows["source"].to_numpy(np.int32)
        ledger = self.seen.of(source)
        business = rows["business"].to_numpy(np.int32) if "business" in rows else np.full(len(rows), NO_DAY, np.int32)
        if len(self.created):
            recorded = self.created.of(self._keys(rows), NO_DAY)
            both = np.maximum(recorded, business)
            business = np.where(recorded == NO_DAY, business, np.where(business == NO_DAY, recorded, both))
        known = np.where(ledger != NO_DAY, ledger, business)
        if not ahead:
            known = np.where(known == NO_DAY, NO_DAY, np.maximum(known, event))
        self._count(name, ledger, known)
        return to_datetime64(known.astype(np.int32))

    def _count(self, name: str, ledger: Days, known: Days) -> None:
        first = ledger != NO_DAY
        counts = self.counts.setdefault(name, {"ledger": 0, "business time": 0, "usual delay": 0})
        counts["ledger"] += int(first.sum())
        counts["business time"] += int(((known != NO_DAY) & ~first).sum())
        counts["usual delay"] += int((known == NO_DAY).sum())

    def late(self, name: str, rows: pd.DataFrame, event: Days, *, ahead: bool = False) -> npt.NDArray[np.datetime64]:
        """The day on which the late part of each row became known: the ledger's day, or meta.lastUpdated if it is
        shortly after the event.
        """
        told_by = rows["late_source"] if "late_source" in rows else rows["source"]
        ledger = self.seen.of(told_by.to_numpy(np.int32), late=True)
        updated = rows["late"].to_numpy(np.int64)
        near = (updated >= event) & (updated <= event.astype(np.int64) + LATE_DAYS) & (event != NO_DAY)
        if len(self.updated):
            said = self.updated.of(self._keys(rows), -1).astype(np.int64)
            stated = (said >= event) & (event != NO_DAY)
            updated, near = np.where(stated, said, updated), near | stated
        after = ledger if ahead else np.where(ledger == NO_DAY, NO_DAY, np.maximum(ledger, event))
        known = np.where(ledger != NO_DAY, after, np.where(near, updated, NO_DAY))
        known = np.where(event == NO_DAY, NO_DAY, known)
        over = event != NO_DAY
        counts = self.counts.setdefault(name, {"ledger": 0, "last update": 0, "usual delay": 0})
        counts["ledger"] += int((over & (ledger != NO_DAY)).sum())
        counts["last update"] += int((over & (ledger == NO_DAY) & near).sum())
        counts["usual delay"] += int((over & (known == NO_DAY)).sum())
        return to_datetime64(known.astype(np.int32))


__all__ = ["Clocks", "Seen", "days_of_provenance"]
