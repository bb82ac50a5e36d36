"""Who was reviewed because of the list, for training and evaluation after it went live.

A list changes what it predicts: people who are listed are reviewed, and some of their events do not happen. A model
that learns from these rows unchanged learns that such people are at low risk. So follow-up ends at a person's first
review, as at any exit. Rows whose follow-up continues stand in for the others: the weight of a row is one over the
chance that its person was not reviewed during the follow-up (inverse probability of censoring). A person with a place
and without a review counts as unexposed, because a place alone changes nothing.

A review before ``as_of`` is history, like other care.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.dataset.labels import REVIEWED, FollowUp
from training.dataset.prepare import Prepared
from training.dataset.spells import FOREVER
from training.errors import ExposureUnknown

Floats = npt.NDArray[np.float64]
BANDS = 5
"""Number of risk bands, used to estimate the chance of a review among people of one day with the same kind of
place."""
MOST_WEIGHT = 10.0
"""Largest weight of a row. It limits the noise, and leaves some bias if nearly all are reviewed."""
MOST_UNLOGGED = 0.05
"""Largest share of reviewed people with a place that may be missing from the exposure log."""


@dataclass(frozen=True)
class Exposure:
    """``live_from`` is the day of the first list that people saw. ``lines`` holds everybody on each published list:
    patient_id, as_of, risk, placed (had a place), exposed (reviewed while that list stood) and propensity (chance of
    a place; NaN where no lottery drew). ``unlogged`` is the share of people with a place who were reviewed and are
    not in the exposure log.
    """

    live_from: dt.date
    lines: pd.DataFrame
    unlogged: float

    @classmethod
    def of(cls, found: Mapping[str, Any] | None) -> Exposure | None:
        """From what the service gives about its lists; None before the first list."""
        return None if found is None else cls(found["live_from"], found["lines"], float(found["unlogged"]))


@dataclass(frozen=True)
class ExposureNote:
    """What a run says about exposure, for the gate: kept with the run as ``exposure.json``."""

    live_from: str | None
    rows_after: int
    logged: bool
    unlogged: float
    exposed_rows: int
    most_weight: float

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    @property
    def problem(self) -> str:
        """Why a model with this note is not promoted; empty if it may be."""
        if not self.rows_after:
            return ""
        if not self.logged:
            return f"{self.rows_after:,} rows reach beyond {self.live_from}, and nobody logged who was listed"
        if self.unlogged > MOST_UNLOGGED:
            return f"{100 * self.unlogged:.0f} in 100 reviewed people with a place are not in the exposure log"
        return ""


def exposure_aware(
    ready: Prepared, horizons: Mapping[str, Sequence[int]], exposure: Exposure | None, live_from: dt.date | None
) -> tuple[Prepared, ExposureNote]:
    """``ready`` with follow-up that ends at the first exposure, and weights; and the note for the gate.

    ``live_from`` is what the trust states (mlflow.yaml, impact.live_from). Raises ExposureUnknown where it is later
    than the first list that was shown.
    """
    if exposure is not None and live_from is not None and exposure.live_from < live_from:
        raise ExposureUnknown(
            f"impact.live_from is {live_from}, and the first list that people saw is of {exposure.live_from}: "
            "write that day, or leave the setting out"
        )
    live = live_from or (exposure.live_from if exposure is not None else None)
    if live is None:
        return ready, ExposureNote(None, 0, exposure is not None, 0.0, 0, 1.0)
    longest = max(max(days) for days in horizons.values())
    start = int(np.datetime64(live, "D").astype(np.int64))
    after = int((ready.follow_up.day + longest > start).sum())
    if not after or exposure is None:
        return ready, ExposureNote(live.isoformat(), after, exposure is not None, 0.0, 0, 1.0)
    first, weights = _first_and_weights(exposure.lines, ready.follow_up, horizons)
    followed = ended_at(ready.follow_up, first)
    under_way = ready.with_under_way
    aware = replace(
        ready,
        follow_up=followed,
        labels=followed.labels(horizons)[list(ready.labels.columns)],
        with_under_way=None if under_way is None else ended_at(under_way, first),
        weights=weights,
    )
    exposed = int((first < ready.follow_up.day + longest).sum())
    most = float(max(values.max(initial=1.0) for values in weights.values()))
    return aware, ExposureNote(live.isoformat(), after, True, exposure.unlogged, exposed, round(most, 2))


def ended_at(followed: FollowUp, first: npt.NDArray[np.int64]) -> FollowUp:
    """The follow-up with an exit on the day of the first exposure, if that comes before any other exit."""
    outcomes = {}
    for name, one in followed.outcomes.items():
        sooner = first < one.exit_day
        outcomes[name] = replace(
            one,
            exit_day=np.where(sooner, first, one.exit_day),
            exit_reason=np.where(sooner, REVIEWED, one.exit_reason).astype(object),
        )
    return replace(followed, outcomes=outcomes)


def until_reviewed(
    followed: FollowUp, horizons: Mapping[str, Sequence[int]], exposure: Exposure | None
) -> tuple[FollowUp, dict[str, Floats] | None]:
    """Any other follow-up, ended at the first exposure as that of training is, and the weights of its rows; unchanged
    and None without an exposure log.
    """
    if exposure is None:
        return followed, None
    first, weights = _first_and_weights(exposure.lines, followed, horizons)
    return ended_at(followed, first), weights


def _first_and_weights(
    lines: pd.DataFrame, followed: FollowUp, horizons: Mapping[str, Sequence[int]]
) -> tuple[npt.NDArray[np.int64], dict[str, Floats]]:
    """The day of the first exposure on or after each row's day, and the weight of each row by outcome and horizon."""
    day_of_line = pd.to_datetime(lines["as_of"]).to_numpy("datetime64[D]").astype(np.int64)
    table = lines.assign(day=day_of_line, chance=chances(lines)).sort_values(["patient_id", "day"])
    by_person = {
        str(patient): (
            part["day"].to_numpy(np.int64),
            part["exposed"].to_numpy(bool),
            -np.log1p(-np.minimum(part["chance"].to_numpy(np.float64), 1 - 1 / MOST_WEIGHT)),
        )
        for patient, part in table.groupby("patient_id", sort=False)
    }
    spine = followed.spine
    rows = len(spine)
    first = np.full(rows, FOREVER, dtype=np.int64)
    weights = {f"{outcome}_{h}": np.ones(rows) for outcome, days in horizons.items() for h in days}
    for row, (patient, day) in enumerate(zip(spine["patient_id"].astype(str), followed.day, strict=True)):
        if patient not in by_person:
            continue
        days, exposed, log_weight = by_person[patient]
        begin = int(np.searchsorted(days, day))
        later = days[begin:]
        hit = np.flatnonzero(exposed[begin:])
        if len(hit):
            first[row] = later[hit[0]]
        passed = np.concatenate([[0.0], np.cumsum(log_weight[begin:])])
        for outcome, all_days in horizons.items():
            end = int(followed.outcomes[outcome].event_day[row])
            for h in all_days:
                lists = int(np.searchsorted(later, min(int(day) + h, end)))
                weights[f"{outcome}_{h}"][row] = min(MOST_WEIGHT, float(np.exp(passed[lists])))
    return first, weights


def chances(lines: pd.DataFrame) -> Floats:
    """The chance that the person of each line is reviewed while the list is current.

    It is the share reviewed among people with the same kind of place and a similar risk on that day. If a lottery gave
    the place, it is the mean of the shares with and without a place, weighted by the chance of a place.
    """
    place = lines.groupby(["as_of", "placed"])["risk"].rank(method="first")
    size = lines.groupby(["as_of", "placed"])["risk"].transform("size")
    band = np.ceil(BANDS * place / size).astype(int)
    reviewed = lines["exposed"].astype(float)
    share = reviewed.groupby([lines["as_of"], lines["placed"], band]).transform("mean")
    drawn = lines["propensity"].astype(float)
    with_place = reviewed.where(lines["placed"]).groupby(lines["as_of"]).transform("mean").fillna(0.0)
    without = reviewed.where(~lines["placed"]).groupby(lines["as_of"]).transform("mean").fillna(0.0)
    return np.asarray((drawn * with_place + (1 - drawn) * without).fillna(share), dtype=np.float64)
