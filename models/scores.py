"""Results of scoring: calibrated probabilities and the parts that add up to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OutcomeScores:
    """Scores of one outcome for all rows and horizons.

    ``logit(probability[r, h]) == base[h] + horizon_part[r, h] + contributions[r, h, :].sum()`` to 1e-9
    (docs/architecture.md rule 4), for probabilities below 0.9999999. Above that, the logit of a double is less exact.
    ``horizon_part`` and ``contributions`` are None if contributions were not requested. ``low`` and ``high`` are the
    range of each risk (``models.ranges``); None if they were not requested, or the bundle has none for this outcome.
    """

    outcome: str
    horizons: tuple[int, ...]
    probability: Floats
    base: Floats
    horizon_part: Floats | None
    contributions: Floats | None
    low: Floats | None = None
    high: Floats | None = None

    def range_at(self, row: int, column: int) -> tuple[float, float] | None:
        """The range of one risk; None if there is none."""
        if self.low is None or self.high is None:
            return None
        return float(self.low[row, column]), float(self.high[row, column])

    def column(self, horizon: int) -> int:
        """Position of a horizon in days. Raises ``KeyError`` listing the horizons that exist."""
        if horizon not in self.horizons:
            raise KeyError(f"{self.outcome} has no horizon of {horizon} days: there are {self.horizons}")
        return self.horizons.index(horizon)


@dataclass(frozen=True)
class Scores(Mapping[str, OutcomeScores]):
    """Scores per outcome, with the inputs (rows, features) they were made from, which the wording of reasons needs."""

    outcomes: Mapping[str, OutcomeScores]
    inputs: NDArray[np.floating]

    def __getitem__(self, outcome: str) -> OutcomeScores:
        if outcome not in self.outcomes:
            raise KeyError(f"no outcome {outcome!r}: there are {', '.join(self.outcomes)}")
        return self.outcomes[outcome]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def rows(self) -> int:
        return len(self.inputs)
