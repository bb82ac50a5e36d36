"""Labels of any spine, exactly as docs/clinical.md sections 2.2, 2.3 and 2.6 define the outcomes.

``admission``: the first unplanned admission to an acute, older adult or intensive care bed. ``disengagement``: D1 (a
qualifying silence, :mod:`training.dataset.disengagement`) or D2 (the referral closed because the person did not attend
or refused), whichever is first. A trust's own outcomes are in :mod:`training.dataset.own_outcomes`.

Time is half-open: an event counts on days in [as_of, as_of + horizon). Labels read all events, whenever they became
known. A label is 1 (event), 0 (none) or missing (censored), and every missing label has one reason:

- *not at risk* at ``as_of``: died, in hospital, already silent (D1 began before), no referral open, or gone before;
- *past the end*: the window reaches beyond the last settled day of the extract, whether or not an event was already
  seen in it;
- *exit*: the person left before an event and within the window, by death, transfer, moving away or planned discharge.
  An exit never counts as a good result. If both fall on one day, the event counts.
- *already under way* (:meth:`FollowUp.new_only`, which training and evaluation use): the silence, or the days without a
  medicine, that led to the event had begun before ``as_of``.

A person who was never seen stays at risk (docs/architecture.md rule 7 over the 180-day clause of docs/clinical.md
section 2.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.engine.caseload import IN_SCOPE_TEAM_KINDS, in_scope_referrals
from features.records import Records
from features.records.tables import ADMISSION_METHODS, CLOSE_REASONS, WARDS
from training.dataset import disengagement, own_outcomes
from training.dataset.spells import (
    FOREVER,
    Days,
    Spells,
    as_int64,
    at,
    first_from,
    last_before,
    merge,
)
from training.errors import ShapeError
from training.outcome_settings import OutcomeSettings, OwnOutcome

Horizons = Mapping[str, Sequence[int]]
AT_RISK = ""
PAST_THE_END = "window passes the end of the extract"
DIED = "exit: died"
UNDER_WAY = "exit: already under way"
NOT_SUBMITTED = "exit: contacts not submitted in the silence"
REVIEWED = "exit: reviewed from the list"
"""Of days after go-live: the follow-up ends at a person's first review (training/impact/exposure.py)."""


@dataclass(frozen=True)
class Followed:
    """One outcome, one value per spine row. ``event_day`` and ``exit_day`` are day numbers, ``FOREVER`` if there is
    none. ``not_at_risk`` and ``exit_reason`` are texts, empty if they do not apply. ``new`` is True if what led to
    the event began on or after ``as_of``."""

    event_day: Days
    exit_day: Days
    exit_reason: npt.NDArray[np.object_]
    not_at_risk: npt.NDArray[np.object_]
    new: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FollowUp:
    """What happened to every row of a spine after its ``as_of``. ``last_day`` is the last day with complete events."""

    spine: pd.DataFrame
    day: Days
    last_day: int
    outcomes: Mapping[str, Followed]

    def status(self, outcome: str, horizon: int) -> npt.NDArray[np.object_]:
        """One status per row: ``event``, ``none``, or the reason why the label is missing."""
        followed = self.outcomes[outcome]
        until = self.day + horizon
        event = (followed.event_day < until) & (followed.event_day <= followed.exit_day)
        left = (followed.exit_day < until) & ~event
        status = np.full(len(self.day), "none", dtype=object)
        status[event] = "event"
        status[left] = followed.exit_reason[left]
        status[until > self.last_day + 1] = PAST_THE_END
        out = followed.not_at_risk != AT_RISK
        status[out] = followed.not_at_risk[out]
        return status

    def labels(self, horizons: Horizons) -> pd.DataFrame:
        """One float column per outcome and horizon (``admission_28``): 1 event, 0 none, NaN censored. Rows as in the
        spine."""
        columns = {}
        for outcome, days in horizons.items():
            for horizon in days:
                status = self.status(outcome, horizon)
                columns[f"{outcome}_{horizon}"] = np.select([status == "event", status == "none"], [1.0, 0.0], np.nan)
        return pd.DataFrame(columns, index=self.spine.index)

    def new_only(self) -> FollowUp:
        """The same follow-up, counting only events that begin on or after ``as_of``.

        A silence that had already begun is under way: it is shown as overdue or missing care and is not predicted.
        The day on which it completes ends the row's follow-up, as a death does.
        """
        return replace(self, outcomes={name: _new_only(one) for name, one in self.outcomes.items()})

    def new_events(self, horizons: Horizons) -> pd.DataFrame:
        """Labels of events that begin on or after ``as_of``; missing if a silence under way was completed."""
        return self.new_only().labels(horizons)

    def censoring(self, horizons: Horizons) -> pd.DataFrame:
        """One row per outcome, horizon and status with its number of rows: how many rows have an event, none, or no
        label, and why.
        """
        rows = []
        for outcome, days in horizons.items():
            for horizon in days:
                words, counts = np.unique(self.status(outcome, horizon).astype(str), return_counts=True)
                rows += [(outcome, horizon, word, int(count)) for word, count in zip(words, counts, strict=True)]
        return pd.DataFrame(rows, columns=["outcome", "horizon", "status", "rows"])


def _new_only(followed: Followed) -> Followed:
    """One outcome with its events already under way turned into exits."""
    under_way = (followed.event_day < FOREVER) & ~followed.new & (followed.event_day <= followed.exit_day)
    return replace(
        followed,
        event_day=np.where(under_way, FOREVER, followed.event_day),
        exit_day=np.where(under_way, followed.event_day, followed.exit_day),
        exit_reason=np.where(under_way, UNDER_WAY, followed.exit_reason),
    )


def label(
    records: Records,
    spine: pd.DataFrame,
    horizons: Horizons,
    settings: OutcomeSettings | None = None,
    in_scope_kinds: Sequence[str] = IN_SCOPE_TEAM_KINDS,
) -> pd.DataFrame:
    """Labels of ``spine`` (patient_id, as_of), aligned to it: see :meth:`FollowUp.labels`."""
    return follow_up(records, spine, settings, in_scope_kinds).labels(horizons)


def follow_up(
    records: Records,
    spine: pd.DataFrame,
    settings: OutcomeSettings | None = None,
    in_scope_kinds: Sequence[str] = IN_SCOPE_TEAM_KINDS,
) -> FollowUp:
    """Follows every row of ``spine`` to its events and exits. Raises ShapeError for missing columns, dates or
    people.
    """
    settings = settings or OutcomeSettings()
    patient, day = positions(records, spine)
    hospital, stay_rows = disengagement.hospital_spells(records, settings.stay_gap_days)
    referred, closings = referral_spells(records, settings.referral_gap_days, in_scope_kinds)
    died = as_int64(records.columns("patients")["died_on"])[patient]
    inpatient = at(hospital.end, hospital.before(patient, day), -FOREVER) >= day
    left = _leaving(patient, day, referred, closings, died, inpatient, settings)
    outcomes = {
        "admission": _admission(records, patient, day, hospital, stay_rows, left, settings),
        "disengagement": _disengagement(records, patient, day, hospital, referred, closings, died, inpatient, settings),
        **{name: _own(records, patient, day, hospital, left, own) for name, own in settings.own.items()},
    }
    return FollowUp(spine, day, last_settled_day(records, settings.settling_days), outcomes)


def positions(records: Records, spine: pd.DataFrame) -> tuple[npt.NDArray[np.int64], Days]:
    """Position of each spine row's person in ``records``, and its ``as_of`` as a day number."""
    missing = [name for name in ("patient_id", "as_of") if name not in spine.columns]
    if missing:
        raise ShapeError(
            f"The spine lacks {' and '.join(missing)}: it needs patient_id and as_of, one row per person and date."
        )
    patient = records.positions(spine["patient_id"])
    if (patient < 0).any():
        raise ShapeError(
            f"{int((patient < 0).sum())} of {len(patient)} spine rows name people who are not in the records: take "
            f"them out."
        )
    dates = pd.to_datetime(spine["as_of"])
    if dates.isna().any():
        raise ShapeError(
            f"{int(dates.isna().sum())} of {len(dates)} spine rows have no as_of date: give every row one."
        )
    return patient, dates.to_numpy(dtype="datetime64[s]").astype("datetime64[D]").astype(np.int64)


def last_settled_day(records: Records, settling_days: int) -> int:
    """The last day whose events count as complete; for later days, rows may still arrive."""
    return records.last_day_known() - settling_days


def referral_spells(
    records: Records, gap_days: int, in_scope_kinds: Sequence[str]
) -> tuple[Spells, npt.NDArray[np.object_]]:
    """In-scope referrals merged into spells, and the reason why each spell ended (empty if it has not)."""
    referrals = records.columns("referrals")
    rows = np.flatnonzero(in_scope_referrals(records, in_scope_kinds))
    patient = records.tables["referrals"].patient[rows]
    spells = merge(patient, as_int64(referrals["opened_on"][rows]), as_int64(referrals["closed_on"][rows]), gap_days)
    words = np.asarray([*CLOSE_REASONS, "other"], dtype=object)
    reasons = words[referrals["close_reason"][rows][spells.last]] if len(rows) else np.zeros(0, dtype=object)
    return spells, np.where(spells.end < FOREVER, reasons, "")


@dataclass(frozen=True)
class _Leaving:
    """When and why each row's person leaves, and why a row is not at risk: what admission and a trust's own outcomes
    share."""

    exit_day: Days
    exit_reason: npt.NDArray[np.object_]
    not_at_risk: npt.NDArray[np.object_]


def _leaving(
    patient: npt.NDArray[np.int64],
    day: Days,
    referred: Spells,
    closings: npt.NDArray[np.object_],
    died: Days,
    inpatient: npt.NDArray[np.bool_],
    settings: OutcomeSettings,
) -> _Leaving:
    place = referred.before(patient, day)
    closed = at(referred.end, place, FOREVER)
    reason = _word_at(closings, place)
    leaves = np.isin(reason.astype(str), settings.admission_exits)
    closed = np.where(leaves, closed, FOREVER)
    exit_day = np.minimum(died, closed)
    at_risk = _first_word(
        [
            (died < day, "died before"),
            (inpatient, "in hospital, not yet known"),
            (closed < day, "left before, not yet known"),
        ],
        len(day),
    )
    exit_reason = np.where(died <= closed, DIED, "exit: " + reason)
    return _Leaving(exit_day, np.where(exit_day < FOREVER, exit_reason, ""), at_risk)


def _admission(
    records: Records,
    patient: npt.NDArray[np.int64],
    day: Days,
    hospital: Spells,
    stay_rows: npt.NDArray[np.int64],
    left: _Leaving,
    settings: OutcomeSettings,
) -> Followed:
    first = stay_rows[hospital.first]
    stays = records.columns("stays")
    unplanned = _is_one_of(stays["method"][first], ADMISSION_METHODS, settings.unplanned_methods)
    acute = _is_one_of(stays["ward"][first], WARDS, settings.admission_wards)
    counts = unplanned & acute
    event_patient, event_day = hospital.patient[counts], hospital.start[counts]
    event = at(event_day, first_from(event_patient, event_day, patient, day), FOREVER)
    return Followed(event, left.exit_day, left.exit_reason, left.not_at_risk, np.ones(len(day), dtype=bool))


def _own(
    records: Records,
    patient: npt.NDArray[np.int64],
    day: Days,
    hospital: Spells,
    left: _Leaving,
    own: OwnOutcome,
) -> Followed:
    """A trust's own outcome: its events, with the exits of admission."""
    if own.stop is not None:
        found = own_outcomes.stops(records, patient, day, hospital, own.stop)
    else:
        found = own_outcomes.events(records, patient, day, own)
    out = np.where(left.not_at_risk == AT_RISK, found.not_at_risk, left.not_at_risk)
    return Followed(found.event_day, left.exit_day, left.exit_reason, out, found.new)


def _disengagement(
    records: Records,
    patient: npt.NDArray[np.int64],
    day: Days,
    hospital: Spells,
    referred: Spells,
    closings: npt.NDArray[np.object_],
    died: Days,
    inpatient: npt.NDArray[np.bool_],
    settings: OutcomeSettings,
) -> Followed:
    silences = disengagement.find(records, referred, hospital, settings)
    coming = first_from(silences.patient, silences.event, patient, day)
    silent_day = at(silences.event, coming, FOREVER)
    trusted = at(silences.trusted.astype(np.int64), coming, 1) == 1
    passed = last_before(silences.patient, silences.event, patient, day)
    inside = at(silences.ended, passed, -FOREVER) >= day

    place = referred.before(patient, day)
    closed = at(referred.end, place, -FOREVER)
    reason = _word_at(closings, place)
    gave_up = np.isin(reason.astype(str), settings.disengaged_reasons)
    closed_event = np.where(gave_up, closed, FOREVER)
    closed_exit = np.where(gave_up, FOREVER, closed)

    event = np.minimum(np.where(trusted, silent_day, FOREVER), closed_event)
    doubted = np.where(trusted, FOREVER, silent_day)
    exit_day = np.minimum(np.minimum(died, closed_exit), doubted)
    exit_reason = np.where(
        exit_day == died,
        DIED,
        np.where(exit_day == closed_exit, "exit: " + reason, NOT_SUBMITTED),
    )
    # The cause of a closure starts on the day the person was last seen; the cause of a silence starts at its anchor.
    seen_last = disengagement.last_seen(records, hospital, patient, np.minimum(event, closed))
    anchor = np.where(silent_day <= closed_event, at(silences.anchor, coming, -FOREVER), seen_last)
    at_risk = _first_word(
        [
            (died < day, "died before"),
            (inpatient, "in hospital, not yet known"),
            (place < 0, "no referral to an in-scope team open"),
            (closed < day, "left before, not yet known"),
            (inside, "already disengaged"),
        ],
        len(day),
    )
    return Followed(
        event, exit_day, np.where(exit_day < FOREVER, exit_reason, ""), at_risk, (event < FOREVER) & (anchor >= day)
    )


def _is_one_of(codes: npt.NDArray[np.int16], words: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether each code is one of the wanted words; a missing code counts as ``unknown``."""
    table = np.asarray([word in wanted for word in words] + ["unknown" in wanted])
    return table[codes]


def _word_at(words: npt.NDArray[np.object_], place: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    return np.append(words, "")[place].astype(object)


def _first_word(rules: Sequence[tuple[npt.NDArray[np.bool_], str]], rows: int) -> npt.NDArray[np.object_]:
    out = np.full(rows, AT_RISK, dtype=object)
    for holds, word in reversed(rules):
        out[holds] = word
    return out
