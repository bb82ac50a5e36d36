"""Slices by time with an embargo, and people held out: train | embargo | calibration | embargo | test.

A row's label reads [as_of, as_of + horizon). The embargo is the longest horizon, so no label of an earlier slice reads a day on or after the first
``as_of`` of a later one. A share of people, chosen by a hash of their id, is in no training or calibration row: what the model scores on them in the
test slice cannot be memory of the person.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records import date_of
from training.errors import NotEnoughData, SplitLeak
from training.settings import SplitSettings

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Boolean masks over the rows of a spine. ``unseen`` marks people held out of training and calibration, in any slice of time."""

    train: Mask
    calibration: Mask
    test: Mask
    unseen: Mask
    embargo_days: int

    def summary(self, spine: pd.DataFrame) -> pd.DataFrame:
        """slice, first, last, landmarks, rows, people."""
        rows = []
        for name in ("train", "calibration", "test"):
            part = spine[getattr(self, name)]
            dates = part["as_of"]
            rows.append((name, dates.min(), dates.max(), dates.nunique(), len(part), part["patient_id"].nunique()))
        return pd.DataFrame(rows, columns=["slice", "first", "last", "landmarks", "rows", "people"])


def by_time(spine: pd.DataFrame, longest_horizon: int, last_day: int, settings: SplitSettings | None = None) -> Split:
    """Split ``spine`` (patient_id, as_of) by date. ``last_day`` is the last settled day of the extract, as a day number.

    The shares divide the dates whose longest window is complete, less two embargoes; the test slice then runs on to the last date, where
    shorter horizons still have labels. Raises NotEnoughData where the extract is too short.
    """
    settings = settings or SplitSettings()
    day = _days(spine)
    dates = np.unique(day)
    complete = dates[dates + longest_horizon <= last_day + 1]
    span = int(complete[-1] - complete[0]) - 2 * longest_horizon if len(complete) else 0
    needed = "its length less two embargoes and one label window must leave dates to divide: bring a longer extract, or lower cohort.history_days"
    if span <= 0:
        raise NotEnoughData(f"{len(complete)} landmark dates have a complete {longest_horizon}-day window; {needed}.")
    train_to = complete[complete <= complete[0] + settings.train_share * span][-1]
    after = complete[complete >= train_to + longest_horizon]
    calibration_to = after[after <= after[0] + settings.calibration_share * span][-1]
    test_from = dates[dates >= calibration_to + longest_horizon]
    if not len(test_from) or test_from[0] > complete[-1]:
        raise NotEnoughData(f"No date is left to test on after {date_of(int(calibration_to))}; {needed}.")
    unseen = held_out(spine["patient_id"], settings.unseen_patients)
    split = Split(
        train=(day <= train_to) & ~unseen,
        calibration=(day >= after[0]) & (day <= calibration_to) & ~unseen,
        test=day >= test_from[0],
        unseen=unseen,
        embargo_days=longest_horizon,
    )
    check(split, spine)
    return split


def check(split: Split, spine: pd.DataFrame) -> None:
    """Raises SplitLeak where a label window reaches into a later slice, or a held-out person trained or calibrated."""
    day = _days(spine)
    order = [("train", split.train), ("calibration", split.calibration), ("test", split.test)]
    for name, rows in order:
        if not rows.any():
            raise NotEnoughData(
                f"The {name} slice has no rows: bring a longer extract or change splits in mlflow.yaml."
            )
    for (earlier, rows), (later, next_rows) in itertools.pairwise(order):
        last_read, first = int(day[rows].max()) + split.embargo_days - 1, int(day[next_rows].min())
        if last_read >= first:
            raise SplitLeak(
                f"Labels of the {earlier} slice read up to {date_of(last_read)}, and the {later} slice begins on {date_of(first)}."
            )
    learned = spine["patient_id"][split.train | split.calibration]
    if split.unseen.any() and learned.isin(spine["patient_id"][split.unseen].unique()).any():
        raise SplitLeak("A person held out of training has rows in the training or calibration slice.")


def held_out(patient_ids: pd.Series, share: float) -> Mask:
    """True for about ``share`` of people, the same ones every time: by SHA-256 of the id."""
    if share <= 0:
        return np.zeros(len(patient_ids), dtype=bool)
    codes, people = pd.factorize(patient_ids)
    draw = np.array([int.from_bytes(hashlib.sha256(str(p).encode()).digest()[:8], "big") / 2**64 for p in people])
    return (draw < share)[codes]


def _days(spine: pd.DataFrame) -> npt.NDArray[np.int64]:
    return pd.to_datetime(spine["as_of"]).to_numpy(dtype="datetime64[s]").astype("datetime64[D]").astype(np.int64)
