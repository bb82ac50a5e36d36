"""Joins the pair of an Appointment and the Encounter that names it to one contact. Only the links of all contacts are
in memory; their rows are read part by part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.sources.fhir.linking.shelf import Shelved, plain
from features.records.sources.fhir.references import key_hashes

Places = npt.NDArray[np.int64]
_FILLED = ("mode", "kind", "team", "staff")
"""Fields that a contact takes from its Encounter where the Appointment has none."""


class Links:
    """The key, the Appointment and the person of every contact, in the order of the rows."""

    def __init__(self) -> None:
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._wanted: list[npt.NDArray[np.uint64]] = []
        self._person: list[npt.NDArray[np.int32]] = []
        self._numbers: dict[str, int] = {}

    def add(self, rows: pd.DataFrame, keys: npt.NDArray[np.uint64]) -> None:
        """``rows`` are contacts with the key of their Appointment, ``keys`` the hashed keys of their resources."""
        words = rows["appointment"].astype("category")
        hashes = np.r_[key_hashes(words.cat.categories), np.uint64(0)]  # 0 for none
        ids = rows["patient_id"].astype("category")
        numbers = [self._numbers.setdefault(str(word), len(self._numbers)) for word in ids.cat.categories]
        self._keys.append(keys)
        self._wanted.append(hashes[words.cat.codes.to_numpy()])
        self._person.append(np.array([*numbers, -1], np.int32)[ids.cat.codes.to_numpy()])

    def pairs(self) -> Pairs:
        """Each Appointment and its Encounter of the same person; of several Encounters, the first."""
        keys, wanted = np.concatenate(self._keys), np.concatenate(self._wanted)
        person = np.concatenate(self._person)
        visits = np.flatnonzero(wanted)
        visits = visits[np.sort(np.unique(wanted[visits], return_index=True)[1])]
        order = np.argsort(keys, kind="stable")
        found = np.minimum(np.searchsorted(keys[order], wanted[visits]), max(len(keys) - 1, 0))
        spots = order[found] if len(visits) else visits
        same = (keys[spots] == wanted[visits]) & (person[spots] == person[visits])
        spots, visits = spots[same], visits[same]
        by_spot = np.argsort(spots, kind="stable")
        return Pairs(spots[by_spot], visits[by_spot], np.isin(keys, keys[visits]))


@dataclass(frozen=True)
class Pairs:
    """Row ``spots[i]`` is the Appointment of the Encounter in row ``visits[i]``; ``spots`` ascend. ``merged`` marks the
    rows of Encounters that are part of another contact.
    """

    spots: Places
    visits: Places
    merged: npt.NDArray[np.bool_]

    def encounters(self, contacts: Shelved) -> pa.Table | None:
        """The rows at ``visits``, in that order."""
        order = np.argsort(self.visits, kind="stable")
        ascending, found = self.visits[order], []
        for first, rows in contacts.whole_parts():
            low, high = np.searchsorted(ascending, (first, first + len(rows)))
            names = (*_FILLED, "outcome", "late", "late_source", "source")
            taken = rows.select(names).take(pa.array(ascending[low:high] - first))
            found.append(pa.table({name: plain(taken[name]) for name in names}))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        return pa.concat_tables(found, promote_options="permissive").take(pa.array(place)) if len(order) else None

    def joined(self, contacts: Shelved, encounters: pa.Table | None) -> Iterator[pd.DataFrame]:
        """The contacts part by part: each Appointment with the fields that are more reliable in its Encounter."""
        for first, rows in contacts.whole_parts():
            low, high = np.searchsorted(self.spots, (first, first + len(rows)))
            if encounters is not None and low < high:
                rows = _filled(rows, self.spots[low:high] - first, encounters.slice(low, high - low))
            frame = rows.to_pandas()
            merged = self.merged[first : first + len(rows)]
            yield frame[~merged].reset_index(drop=True) if merged.any() else frame


def _filled(rows: pa.Table, spots: Places, encounters: pa.Table) -> pa.Table:
    """``rows`` with what the Encounter of each of ``spots`` adds."""
    at = np.full(len(rows), -1, np.int64)
    at[spots] = np.arange(len(spots))
    theirs = encounters.take(pa.array(at, mask=at < 0))
    columns = {name: rows[name] for name in rows.column_names}
    for name in _FILLED:
        columns[name] = pc.coalesce(plain(rows[name]).cast(pa.string()), theirs[name].cast(pa.string()))
    # A completed Encounter shows attendance, even if the Appointment was never closed.
    ours = plain(rows["outcome"])
    seen = pc.and_(pc.equal(ours, "planned"), pc.equal(theirs["outcome"], "attended")).fill_null(False)
    for name, own in (("outcome", ours), ("late", rows["late"]), ("late_source", rows["late_source"])):
        columns[name] = pc.if_else(seen, theirs[name], own)
    return pa.table(columns)


__all__ = ["Links", "Pairs"]
