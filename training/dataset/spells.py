"""Merges intervals into spells, and finds events by person and day. Outcomes are built from these two.

Days are int64 here, wide enough to add a horizon to ``FOREVER``, which stands for a missing end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.jit import jit
from features.records import NO_DAY

Days = npt.NDArray[np.int64]
FOREVER = 2**40
_STRIDE = 2**42


def as_int64(days: npt.NDArray[np.int32]) -> Days:
    """Day numbers as int64, missing days as ``FOREVER``."""
    return np.where(days == NO_DAY, FOREVER, days.astype(np.int64))


@dataclass(frozen=True)
class Spells:
    """Disjoint spells in order of person and start. ``first`` and ``last`` are rows of the merged table: the one that
    opened the spell, and the one that ended last (of several on one day, the most recently begun)."""

    patient: npt.NDArray[np.int32]
    start: Days
    end: Days
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]

    def offsets(self, people: int) -> npt.NDArray[np.int64]:
        return np.searchsorted(self.patient, np.arange(people + 1)).astype(np.int64)

    def before(self, patient: npt.NDArray[np.int64], day: Days) -> npt.NDArray[np.int64]:
        """The last spell of ``patient`` that started before ``day``; -1 if there is none."""
        return last_before(self.patient, self.start, patient, day)


def merge(patient: npt.NDArray[np.int32], start: Days, end: Days, gap_days: int) -> Spells:
    """Merges intervals (in order of person and start) that overlap, or start at most ``gap_days`` after the latest
    end so far, into one spell.
    """
    spell, latest = _merge(patient, start, end, gap_days)
    first = np.flatnonzero(np.diff(spell, prepend=-1))
    count = len(first)
    ends, last = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    ends[spell] = latest
    rows = np.flatnonzero(end == ends[spell])
    last[spell[rows]] = rows
    return Spells(patient[first], start[first], ends, first.astype(np.int64), last)


@jit()
def _merge(patient, start, end, gap_days):  # type: ignore[no-untyped-def]
    spell = np.zeros(len(patient), dtype=np.int64)
    latest = np.zeros(len(patient), dtype=np.int64)
    current = -1
    for row in range(len(patient)):
        if row == 0 or patient[row] != patient[row - 1] or start[row] > latest[row - 1] + gap_days:
            current += 1
            latest[row] = end[row]
        else:
            latest[row] = max(latest[row - 1], end[row])
        spell[row] = current
    return spell, latest


def last_before(
    event_patient: npt.NDArray[np.integer], event_day: Days, patient: npt.NDArray[np.integer], day: Days
) -> npt.NDArray[np.int64]:
    """Index of each person's last event before ``day`` (-1 where none). Events are in order of person and day."""
    place = np.searchsorted(_key(event_patient, event_day), _key(patient, day), side="left") - 1
    if not len(event_patient):
        return np.full(len(patient), -1, dtype=np.int64)
    same = (place >= 0) & (event_patient[np.maximum(place, 0)] == patient)
    return np.where(same, place, -1)


def first_from(
    event_patient: npt.NDArray[np.integer], event_day: Days, patient: npt.NDArray[np.integer], day: Days
) -> npt.NDArray[np.int64]:
    """Index of each person's first event on or after ``day`` (-1 where none). Events are in order of person and day."""
    place = np.searchsorted(_key(event_patient, event_day), _key(patient, day), side="left")
    if not len(event_patient):
        return np.full(len(patient), -1, dtype=np.int64)
    inside = np.minimum(place, len(event_patient) - 1)
    same = (place < len(event_patient)) & (event_patient[inside] == patient)
    return np.where(same, place, -1)


def at(values: npt.NDArray[np.int64], place: npt.NDArray[np.int64], otherwise: int) -> npt.NDArray[np.int64]:
    """``values[place]``, or ``otherwise`` where ``place`` is -1."""
    if not len(values):
        return np.full(len(place), otherwise, dtype=np.int64)
    return np.where(place >= 0, values[np.maximum(place, 0)], otherwise)


def _key(patient: npt.NDArray[np.integer], day: Days) -> npt.NDArray[np.int64]:
    return patient.astype(np.int64) * _STRIDE + day
