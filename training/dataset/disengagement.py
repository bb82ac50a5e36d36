"""Silences: stretches of an open referral in which nobody saw the person, and the day on which a silence becomes
disengagement (D1).

docs/clinical.md section 2.3: an open referral, no attended contact for at least 90 consecutive days, at least two
contacts offered and missed within them. The event day is the 90th silent day, or the day of the second missed offer
if that is later: only then is the definition met. If the next contact was booked more than a quarter ahead, the limit
is twice that interval.

A hospital stay is not silence: the count restarts on the day of discharge. Days before the extract began are not
silence either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.jit import jit
from features.parts import part
from features.records import Records
from features.records.attendance import CARER_KIND, attended
from features.records.tables import CONTACT_KINDS, OUTCOMES, WARDS
from training.dataset.spells import FOREVER, Days, Spells, as_int64, at, last_before, merge
from training.outcome_settings import OutcomeSettings

_MISSED, _PLANNED = (OUTCOMES.index(word) for word in ("did_not_attend", "planned"))
_CARER = CONTACT_KINDS.index(CARER_KIND)
_PLACE_OF_SAFETY = WARDS.index("place_of_safety")


@dataclass(frozen=True)
class Silences:
    """Qualifying silences (D1), in order of person and day. ``anchor`` is the last day seen, ``event`` the day the
    definition is met, ``ended`` the day the person was seen again or the referral ended. ``trusted`` is False if a
    submission gap may have caused the silence."""

    patient: npt.NDArray[np.int32]
    anchor: Days
    event: Days
    ended: Days
    trusted: npt.NDArray[np.bool_]


def hospital_spells(records: Records, gap_days: int) -> tuple[Spells, npt.NDArray[np.int64]]:
    """Hospital stays merged into spells, and the rows of stays they index. A place of safety alone is not a stay."""
    stays = records.columns("stays")
    rows = np.flatnonzero(stays["ward"] != _PLACE_OF_SAFETY)
    patient = records.tables["stays"].patient[rows]
    return merge(patient, as_int64(stays["admitted_on"][rows]), as_int64(stays["discharged_on"][rows]), gap_days), rows


def seen(records: Records, hospital: Spells) -> tuple[npt.NDArray[np.int32], Days, Days]:
    """Patient, first day and last day of every time the person was with a service (attended contacts and hospital
    spells), in order.
    """
    contacts = records.columns("contacts")
    rows = np.flatnonzero(attended(contacts))
    day = as_int64(contacts["contact_on"][rows])
    patient = np.concatenate([records.tables["contacts"].patient[rows], hospital.patient])
    start, end = np.concatenate([day, hospital.start]), np.concatenate([day, hospital.end])
    order = np.lexsort((end, start, patient))
    return patient[order], start[order], end[order]


def find(records: Records, referred: Spells, hospital: Spells, settings: OutcomeSettings) -> Silences:
    """Every qualifying silence of every in-scope referral spell, whenever it was known: labels ignore ``known_on``."""
    people = len(records.patient_ids)
    contacts = records.columns("contacts")
    who = records.tables["contacts"].patient
    missed = np.flatnonzero((contacts["outcome"] == _MISSED) & (contacts["kind"] != _CARER))
    booked = np.flatnonzero((as_int64(contacts["booked_on"]) < FOREVER) & (contacts["kind"] != _CARER))
    seen_patient, seen_from, seen_to = seen(records, hospital)
    died = as_int64(records.columns("patients")["died_on"])
    low_days = _Months(records, settings)
    patient, anchor, event, ended = _walk(
        people,
        referred.offsets(people),
        np.maximum(referred.start, low_days.first),
        referred.end,
        died,
        _offsets(seen_patient, people),
        seen_from,
        seen_to,
        _offsets(who[missed], people),
        as_int64(contacts["contact_on"][missed]),
        _offsets(who[booked], people),
        as_int64(contacts["contact_on"][booked]),
        as_int64(contacts["booked_on"][booked]),
        settings.silent_days,
        settings.min_unsuccessful_offers,
        settings.quarterly_days,
    )
    return Silences(patient, anchor, event, ended, low_days.none_between(anchor, event))


def last_seen(records: Records, hospital: Spells, patient: npt.NDArray[np.int64], day: Days) -> Days:
    """The last day up to ``day`` on which the person was with a service; a very early day if there is none."""
    seen_patient, _, seen_to = seen(records, hospital)
    order = np.lexsort((seen_to, seen_patient))
    return at(seen_to[order], last_before(seen_patient[order], seen_to[order], patient, day + 1), -FOREVER)


def _offsets(patient: npt.NDArray[np.int32], people: int) -> npt.NDArray[np.int64]:
    return np.searchsorted(patient, np.arange(people + 1)).astype(np.int64)


class _Months:
    """Months whose contact volume shows that the provider did not submit (docs/clinical.md section 2.6)."""

    def __init__(self, records: Records, settings: OutcomeSettings) -> None:
        contacts = records.columns("contacts")
        days = contacts["contact_on"][contacts["outcome"] != _PLANNED].astype(np.int64)
        self.first = int(days.min()) if len(days) else -FOREVER
        self.low = np.zeros(0, dtype=np.int64)
        if not len(days) or settings.submission_gap_tolerance is None:
            return
        months = np.arange(days.min(), days.max() + 1).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        observed = np.bincount(months - months[0])
        held = np.bincount(
            days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) - months[0], minlength=len(observed)
        )
        rate = held / observed
        typical = float(np.median(rate))
        if typical * 30 >= settings.submission_gap_min_contacts:
            low = rate < typical * (1 - settings.submission_gap_tolerance)
            self.low = np.cumsum(low[months - months[0]].astype(np.int64))

    def none_between(self, after: Days, until: Days) -> npt.NDArray[np.bool_]:
        """True if no day in (after, until] lies in such a month."""
        if not len(self.low):
            return np.ones(len(after), dtype=bool)
        counts = np.concatenate([[0], self.low])
        span = len(self.low)
        return counts[np.clip(until - self.first + 1, 0, span)] == counts[np.clip(after - self.first + 1, 0, span)]


@jit()
def _walk(  # type: ignore[no-untyped-def]
    people,
    spell_at,
    spell_from,
    spell_to,
    died,
    seen_at,
    seen_from,
    seen_to,
    missed_at,
    missed_on,
    booked_at,
    booked_for,
    booked_on,
    silent,
    offers,
    quarter,
):
    most = len(spell_from) + len(seen_from) + 1
    patient, anchors = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int64)
    events, endings = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found = 0
    for person in range(people):
        for spell in range(spell_at[person], spell_at[person + 1]):
            anchor = spell_from[spell]
            stop = min(spell_to[spell], died[person])
            row = seen_at[person]
            while anchor < stop:
                while row < seen_at[person + 1] and seen_to[row] <= anchor:
                    row += 1
                until = stop
                if row < seen_at[person + 1]:
                    until = min(stop, seen_from[row])
                if until > anchor:
                    event = _becomes(
                        anchor, until, missed_at[person], missed_at[person + 1], missed_on,
                        booked_at[person], booked_at[person + 1],
                        booked_for, booked_on, silent, offers, quarter,
                    )  # fmt: skip
                    if event < until:
                        if found == len(patient):
                            patient, anchors = (
                                np.append(patient, np.empty_like(patient)),
                                np.append(anchors, np.empty_like(anchors)),
                            )
                            events, endings = (
                                np.append(events, np.empty_like(events)),
                                np.append(endings, np.empty_like(endings)),
                            )
                        patient[found], anchors[found], events[found], endings[found] = person, anchor, event, until
                        found += 1
                if row >= seen_at[person + 1]:
                    break
                anchor = max(anchor, seen_to[row])
    return patient[:found], anchors[:found], events[:found], endings[:found]


@part()
def _becomes(  # type: ignore[no-untyped-def]
    anchor,
    until,
    missed_start,
    missed_stop,
    missed_on,
    booked_start,
    booked_stop,
    booked_for,
    booked_on,
    silent,
    offers,
    quarter,
):
    """The day on which silence after ``anchor`` meets the definition; a day on or after ``until`` if it never does."""
    if until - anchor <= silent:
        return until
    wait = silent
    for row in range(booked_start, booked_stop):
        if booked_for[row] > anchor and booked_on[row] <= anchor:
            if booked_for[row] - anchor > quarter:
                wait = max(silent, 2 * (booked_for[row] - anchor))
            break
    event = anchor + wait
    if event >= until or offers == 0:
        return event
    count = 0
    for row in range(missed_start, missed_stop):
        if missed_on[row] > anchor:
            count += 1
            if count == offers:
                return max(event, missed_on[row])
    return until
