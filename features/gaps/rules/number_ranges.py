"""Ranges of numbers that a rule asks about: who has a newest number in one of them is decided for a shard at once."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.gaps.person_view import PersonAsKnown
from features.gaps.shard import Shard
from features.gaps.shard_columns import Bools
from features.gaps.shared import word_list
from features.reference import THRESHOLDS

Numbers = npt.NDArray[np.float64]


class NumberRange(NamedTuple):
    """Numbers of one test: ``low`` is included, ``high`` is not."""

    test: str
    low: float = -np.inf
    high: float = np.inf


def band(key: str, test: str = "") -> NumberRange:
    """The numbers that a row of ``thresholds.csv`` holds."""
    row = THRESHOLDS[key]
    low, high = (-np.inf if row.low is None else row.low), (np.inf if row.high is None else row.high)
    return NumberRange(test or row.test, low, high)


class NumberRanges:
    """Some ranges of numbers, as columns by test."""

    def __init__(self, *ranges: NumberRange) -> None:
        self.by_test: dict[str, list[NumberRange]] = {}
        for one in ranges:
            self.by_test.setdefault(one.test, []).append(one)

    @cached_property
    def _ends(self) -> tuple[Bools, Numbers, Numbers]:
        """For each test by its position: whether it has a range; then the low and the high ends of all of them."""
        tests = word_list("results", "test")
        shape = len(tests), max(map(len, self.by_test.values()))
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        for test, ranges in self.by_test.items():
            for place, one in enumerate(ranges):
                low[tests.index(test), place], high[tests.index(test), place] = one.low, one.high
        return np.array([test in self.by_test for test in tests]), low, high

    def _held(self, shard: Shard) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(person, test by its position) wherever the newest number lies in one of the ranges."""
        found: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = shard.kept.get(self)
        if found is None:
            segments = shard.result_segments
            ranged, low, high = self._ends
            some = ranged[segments.test]
            who, test, value = segments.who[some], segments.test[some], segments.newest[some][:, None]
            held = ((value >= low[test]) & (value < high[test])).any(axis=1)
            found = shard.kept[self] = who[held], test[held]
        return found

    def hold_newest(self, shard: Shard) -> Bools:
        """Which people have a test whose newest number lies in one of its ranges."""
        return shard.any_of(self._held(shard)[0])

    def tests_of(self, person: PersonAsKnown) -> list[str]:
        """The tests of a person whose newest number lies in one of their ranges."""
        shard = person.shard
        made: tuple[list[str], list[int]] | None = shard.kept.get((self, "tests"))
        if made is None:
            who, test = self._held(shard)
            made = shard.kept[self, "tests"] = [shard.shared.tests[one] for one in test.tolist()], shard.bounds(who)
        tests, bounds = made
        return tests[bounds[person.who] : bounds[person.who + 1]]
