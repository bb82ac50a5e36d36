"""What contributes to the risks: exact contributions of the served bundle on rows of the test slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """One outcome at one horizon: contributions to the calibrated log odds (rows, features), the input values, and
    the base.
    """

    outcome: str
    horizon: int
    names: Sequence[str]
    concepts: Sequence[str]
    contributions: Floats
    values: npt.NDArray[np.floating]
    base: Floats

    def by_concept(self) -> tuple[list[str], Floats]:
        """Names of the concepts, and their summed contributions, shape (rows, concepts)."""
        names, place = np.unique(np.asarray(self.concepts, dtype=str), return_inverse=True)
        summed = np.zeros((len(self.contributions), len(names)))
        for column, concept in enumerate(place):
            summed[:, concept] += self.contributions[:, column]
        return [str(name) for name in names], summed

    def importance(self) -> dict[str, float]:
        """Mean absolute contribution of each concept."""
        names, summed = self.by_concept()
        return {name: round(float(size), 6) for name, size in zip(names, np.abs(summed).mean(axis=0), strict=True)}

    def of_the_highest(self, share: float = 0.1) -> tuple[list[str], Floats, float]:
        """Concepts, their mean contribution over the rows of highest risk, and the mean base. It adds up as a single
        row does, but describes no single person.
        """
        names, summed = self.by_concept()
        total = self.base + self.contributions.sum(axis=1)
        top = np.argsort(-total, kind="stable")[: max(1, int(share * len(total)))]
        return names, summed[top].mean(axis=0), float(self.base[top].mean())
