"""Boosters that learn from more people than memory holds. Rows lie in files, one folder for each piece of the people;
LightGBM reads them in batches and keeps only their bins. The trees are those of ``stacked.StackedRows`` on the same
rows, up to the 200,000 rows that LightGBM draws the edges of its bins from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from training.fitting.inputs import HORIZON_COLUMN
from training.fitting.stacked import check_events, lightgbm_parameters
from training.settings import TrainingSettings


@dataclass(frozen=True)
class PieceOfPeople:
    """Rows of some people: ``values`` float32 (rows, features), left in their file; ``labels`` by outcome and horizon
    (1, 0 or NaN); ``person`` the person of each row, numbered within the piece."""

    values: npt.NDArray[np.float32]
    labels: dict[str, npt.NDArray[np.float32]]
    person: npt.NDArray[np.int64]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        np.save(folder / "values.npy", self.values)
        rows: dict[str, Any] = {"person": self.person, **self.labels}
        np.savez(folder / "rows.npz", **rows)

    @classmethod
    def load(cls, folder: Path) -> PieceOfPeople:
        with np.load(folder / "rows.npz") as held:
            rows = dict(held)
        return cls(np.load(folder / "values.npy", mmap_mode="r"), labels=rows, person=rows.pop("person"))

    @property
    def people(self) -> int:
        return len(np.unique(self.person))

    def some(self, first: int, last: int) -> PieceOfPeople:
        """The rows of the people from ``first`` up to ``last`` (not included). People are numbered in row order."""
        here = slice(*np.searchsorted(self.person, [first, last]))
        return PieceOfPeople(self.values[here], {name: of[here] for name, of in self.labels.items()}, self.person[here])


class _Stacked(lightgbm.Sequence):
    """Some rows of a piece at one horizon, which is the last column."""

    batch_size = 4096

    def __init__(self, values: npt.NDArray[np.float32], place: npt.NDArray[np.int64], horizon: int) -> None:
        self.values, self.place, self.horizon = values, place, horizon

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, asked: int | slice | list[int]) -> npt.NDArray[np.float64]:
        values = self.values[self.place[asked]]
        horizon = np.full((*values.shape[:-1], 1), self.horizon, dtype=np.float64)
        return np.concatenate([values, horizon], axis=-1)


def grow_on_pieces(
    pieces: Sequence[PieceOfPeople],
    horizons: Sequence[int],
    outcome: str,
    features: Sequence[Any],
    settings: TrainingSettings,
) -> lightgbm.Booster:
    """A booster on every row of ``pieces`` with a label, stacked over ``horizons`` as in any training. ``features`` are
    the columns, ``settings`` the outcome's own. Raises NotEnoughData for too few events."""
    stacked, answers = [], []
    for horizon in horizons:
        for piece in pieces:
            label = piece.labels[f"{outcome}_{horizon}"]
            place = np.flatnonzero(~np.isnan(label))
            stacked.append(_Stacked(piece.values, place, horizon))
            answers.append(label[place].astype(np.float64))
    every_answer = np.concatenate(answers)
    check_events(every_answer, outcome)
    parameters = lightgbm_parameters(settings, features)
    names = [*(feature.name for feature in features), HORIZON_COLUMN]
    bins = lightgbm.Dataset(stacked, every_answer, feature_name=names, params=parameters)
    return lightgbm.train(parameters, bins, num_boost_round=settings.trees)
