"""The events of a trust's own outcomes (``outcomes.own`` of the settings), for every row of a spine.

Two kinds. *Events* are rows of the records: a contact with the crisis team, a stay of one method, a diagnosis. Events
fewer than ``quiet_days`` apart are one episode, and its first day is the event. A *stop* is the end of a medicine: its
supply, carried over, ran out and none followed for ``days_without`` days. The last of these days completes the event;
it is new if the supply ran out on or after ``as_of``. A ward supplies what is taken in hospital, so the days without
are counted from the discharge.

As for every outcome, labels read all rows, whenever they became known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.jit import jit
from features.kernels.coverage import carried
from features.medicines.supply_days import supplies_once
from features.records import Records
from features.records.attendance import attended
from features.records.same_event.supplies import FOREVER as STANDS
from features.records.tables import TABLES, Column
from features.reference import MEDICINES
from training.dataset.spells import FOREVER, Days, Spells, as_int64, at, first_from, merge
from training.outcome_settings import EventRows, MedicineStop, OwnOutcome

IN_EPISODE = "an episode is under way"
NOT_TAKEN = "the medicine is not supplied"


@dataclass(frozen=True)
class OwnEvents:
    """One value for each spine row: the day of the event (``FOREVER`` if there is none), whether what led to it began
    on or after ``as_of``, and why the row is not at risk (empty if it is)."""

    event_day: Days
    new: npt.NDArray[np.bool_]
    not_at_risk: npt.NDArray[np.object_]


def events(records: Records, patient: npt.NDArray[np.int64], day: Days, own: OwnOutcome) -> OwnEvents:
    """The first episode of each row that begins on or after ``as_of``."""
    found = [_event_rows(records, rows) for rows in own.events]
    who = np.concatenate([one for one, _ in found])
    when = np.concatenate([one for _, one in found])
    order = np.lexsort((when, who))
    episodes = merge(who[order], when[order], when[order] + 1, own.quiet_days - 2)
    event = at(episodes.start, first_from(episodes.patient, episodes.start, patient, day), FOREVER)
    latest = at(episodes.end, episodes.before(patient, day), -FOREVER) - 1
    inside = day - latest < own.quiet_days
    return OwnEvents(event, np.ones(len(day), dtype=bool), np.where(inside, IN_EPISODE, "").astype(object))


def stops(
    records: Records, patient: npt.NDArray[np.int64], day: Days, hospital: Spells, stop: MedicineStop
) -> OwnEvents:
    """The day on which the medicine that each row's person is supplied with counts as stopped."""
    who, start, end = _covered(records, stop.medicines)
    end = _through_hospital(who, end, hospital, stop.days_without)
    order = np.lexsort((end, start, who))
    courses = merge(who[order], start[order], end[order], stop.days_without - 1)
    ran_out = at(courses.end, courses.before(patient, day), -FOREVER)
    complete = np.where(ran_out < FOREVER, ran_out + stop.days_without, FOREVER)
    supplied = complete >= day
    event = np.where(supplied, complete, FOREVER)
    return OwnEvents(event, supplied & (ran_out >= day), np.where(supplied, "", NOT_TAKEN).astype(object))


def _event_rows(records: Records, rows: EventRows) -> tuple[npt.NDArray[np.int32], Days]:
    """Person and day of the rows. A contact counts if it was attended, unless ``where`` names other outcomes."""
    spec, columns = TABLES[rows.table], records.columns(rows.table)
    keep = np.ones(len(columns[spec.event_day or ""]), dtype=bool)
    for name, words in rows.where.items():
        keep &= _one_of(spec.column(name), columns[name], words)
    if rows.table == "contacts" and "outcome" not in rows.where:
        keep &= attended(columns)
    at_rows = np.flatnonzero(keep)
    return records.tables[rows.table].patient[at_rows], as_int64(columns[spec.event_day or ""][at_rows])


def _one_of(column: Column, values: Any, words: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    if column.kind == "code":
        return np.isin(values, [column.values.index(word) for word in words])
    found: npt.NDArray[np.bool_] = pd.Series(values, dtype="str").isin(words).to_numpy(dtype=bool)
    return found


def _covered(records: Records, medicines: tuple[str, ...]) -> tuple[npt.NDArray[np.int32], Days, Days]:
    """Person, first day covered and first day no longer covered by each supply, with supply in hand carried over."""
    supplies, once = records.columns("supplies"), supplies_once(records)
    wanted = np.isin(supplies["medicine"], [list(MEDICINES).index(name) for name in medicines])
    rows = np.flatnonzero(wanted & (once.until == STANDS) & (once.undone == STANDS))
    who, medicine = records.tables["supplies"].patient[rows], supplies["medicine"][rows]
    day = supplies["supplied_on"][rows].astype(np.int64)
    order = np.lexsort((day, medicine, who))
    who, medicine, day = who[order], medicine[order], day[order]
    start, end = _carry(who, medicine, day, once.length[rows][order].astype(np.int64))
    return who, start, end


@jit()
def _carry(who, medicine, day, length):  # type: ignore[no-untyped-def]
    start, end = np.empty(len(day), np.int64), np.empty(len(day), np.int64)
    for k in range(len(day)):
        before = day[k]
        if k > 0 and who[k] == who[k - 1] and medicine[k] == medicine[k - 1]:
            before = end[k - 1]
        start[k], end[k] = carried(day[k], before, length[k])
    return start, end


def _through_hospital(who: npt.NDArray[np.int32], end: Days, hospital: Spells, days_without: int) -> Days:
    """``end``, moved to the discharge where the person was in hospital before the days without were complete."""
    while True:
        place = hospital.before(who.astype(np.int64), end + days_without)
        later = np.maximum(end, at(hospital.end, place, -FOREVER))
        if (later == end).all():
            return end
        end = later
