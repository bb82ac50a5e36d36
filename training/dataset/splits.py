"""Slices by time with an embargo, and people held out: train | embargo | calibration | embargo | test.

A row's label reads [as_of, as_of + horizon). The embargo is the longest horizon, so no label of an earlier slice
reads a day on or after the first ``as_of`` of a later one. A share of people, chosen by a hash of their id, is left
out of training and calibration: the model's results on them in the test slice cannot come from memory of the person.

Three variants keep the embargo and add to it: no person in two slices (:func:`by_patients`), a team the model never saw
(:func:`leave_one_team_out`), and earlier origins of the same split (:func:`rolling_origins`).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records import date_of
from training.errors import NotEnoughData, SplitLeak
from training.settings import SplitSettings

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Boolean masks over the rows of a spine. ``unseen`` marks people held out of training and calibration, in any
    slice of time."""

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
    """Split ``spine`` (patient_id, as_of) by date. ``last_day`` is the last settled day of the extract, as a day
    number.

    The shares divide the dates whose longest window is complete, less two embargoes. The test slice then continues to
    the last date, because shorter horizons still have labels there. Raises NotEnoughData if the extract is too short.
    """
    settings = settings or SplitSettings()
    day = _days(spine)
    dates = np.unique(day)
    complete = dates[dates + longest_horizon <= last_day + 1]
    span = int(complete[-1] - complete[0]) - 2 * longest_horizon if len(complete) else 0
    needed = (
        "its length less two embargoes and one label window must leave dates to divide: bring a longer extract, "
        "or lower cohort.history_days"
    )
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


def by_patients(
    spine: pd.DataFrame, longest_horizon: int, last_day: int, settings: SplitSettings | None = None
) -> Split:
    """The patient-disjoint variant of :func:`by_time`: the same three periods, and no person has rows in more than
    one of them.

    Each person belongs to one slice, by a hash of their id, in the shares of ``settings`` (the test slice gets what
    training and calibration leave). This is strict and costs rows: a slice keeps only its own people's rows.
    ``unseen`` is then the whole test slice.
    """
    settings = settings or SplitSettings()
    split = by_time(spine, longest_horizon, last_day, settings.model_copy(update={"unseen_patients": 0.0}))
    draw = _draws(spine["patient_id"])
    learns = draw < settings.train_share
    calibrates = ~learns & (draw < settings.train_share + settings.calibration_share)
    rest = ~learns & ~calibrates
    found = replace(
        split,
        train=split.train & learns,
        calibration=split.calibration & calibrates,
        test=split.test & rest,
        unseen=rest,
    )
    check(found, spine)
    check_people_apart(found, spine)
    return found


def leave_one_team_out(spine: pd.DataFrame, split: Split) -> Iterator[tuple[str, Split]]:
    """For each team with rows in the test slice: a split that tests on that team alone and never trained or calibrated
    on anybody it ever had.

    Time and embargo stay as in ``split``. A team is skipped if a slice would be empty without it.
    """
    if "team_id" not in spine.columns:
        raise NotEnoughData("leave-one-team-out needs a team_id in the spine: there is one team only.")
    team = spine["team_id"].astype(str)
    for name in sorted(team[split.test].unique()):
        own = (team == name).to_numpy()
        theirs = spine["patient_id"].isin(spine["patient_id"][own].unique()).to_numpy()
        held = replace(
            split,
            train=split.train & ~theirs,
            calibration=split.calibration & ~theirs,
            test=split.test & own,
            unseen=theirs,
        )
        if held.train.any() and held.calibration.any():
            check(held, spine)
            check_people_apart(held, spine)
            yield name, held


def rolling_origins(
    spine: pd.DataFrame, longest_horizon: int, last_day: int, settings: SplitSettings | None = None
) -> Iterator[tuple[str, Split]]:
    """The split of :func:`by_time` and up to ``settings.origins`` - 1 earlier ones, oldest first, named by the first
    day they test on.

    Each origin moves every boundary back by the length of the test slice, so no day is tested twice; training always
    begins at the first landmark. An origin that leaves less than ``shortest_training`` days of training landmarks is
    skipped.
    """
    settings = settings or SplitSettings()
    latest = by_time(spine, longest_horizon, last_day, settings)
    day = _days(spine)
    complete = day + longest_horizon <= last_day + 1
    step = int(day[latest.test & complete].max()) - int(day[latest.test].min()) + _every(day)
    found = [latest]
    for back in range(1, settings.origins):
        moved = replace(
            latest,
            train=_moved(latest.train, day, back * step, from_start=True) & ~latest.unseen,
            calibration=_moved(latest.calibration, day, back * step) & ~latest.unseen,
            test=_moved(latest.test & complete, day, back * step),
        )
        trained = day[moved.train]
        if not len(trained) or int(trained.max() - trained.min()) < settings.shortest_training:
            break
        if not moved.calibration.any() or not moved.test.any():
            break
        check(moved, spine)
        found.append(moved)
    for split in reversed(found):
        yield str(date_of(int(day[split.test].min()))), split


def check(split: Split, spine: pd.DataFrame) -> None:
    """Raises SplitLeak if a label window reaches into a later slice, or a held-out person is in training or
    calibration.
    """
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
                f"Labels of the {earlier} slice read up to {date_of(last_read)}, and the {later} slice begins on "
                f"{date_of(first)}."
            )
    learned = spine["patient_id"][split.train | split.calibration]
    if split.unseen.any() and learned.isin(spine["patient_id"][split.unseen].unique()).any():
        raise SplitLeak("A person held out of training has rows in the training or calibration slice.")


def check_people_apart(split: Split, spine: pd.DataFrame) -> None:
    """Raises SplitLeak if somebody has rows in more than one slice of a split that keeps people apart."""
    owners = [set(spine["patient_id"][rows]) for rows in (split.train | split.calibration, split.test)]
    if crossed := len(owners[0] & owners[1]):
        raise SplitLeak(f"{crossed} people have rows both in training or calibration and in the test slice.")


def held_out(patient_ids: pd.Series, share: float) -> Mask:
    """True for about ``share`` of people, always the same ones: by SHA-256 of the id."""
    if share <= 0:
        return np.zeros(len(patient_ids), dtype=bool)
    return _draws(patient_ids) < share


def _draws(patient_ids: pd.Series) -> npt.NDArray[np.float64]:
    """A number in [0, 1) per row, the same for all rows of a person and in every run."""
    codes, people = pd.factorize(patient_ids)
    draw = np.array([int.from_bytes(hashlib.sha256(str(p).encode()).digest()[:8], "big") / 2**64 for p in people])
    return draw[codes] if len(people) else np.zeros(0)


def _days(spine: pd.DataFrame) -> npt.NDArray[np.int64]:
    return pd.to_datetime(spine["as_of"]).to_numpy(dtype="datetime64[s]").astype("datetime64[D]").astype(np.int64)


def _moved(rows: Mask, day: npt.NDArray[np.int64], days: int, *, from_start: bool = False) -> Mask:
    """Rows whose date lies within the dates of ``rows``, moved ``days`` earlier; from the very first date if
    ``from_start``.
    """
    low = int(day.min()) if from_start else int(day[rows].min()) - days
    return (day >= low) & (day <= int(day[rows].max()) - days)


def _every(day: npt.NDArray[np.int64]) -> int:
    dates = np.unique(day)
    return int(np.diff(dates).min()) if len(dates) > 1 else 1
