"""What follows from a list of features alone, made once and found again by the identity of the features: comparing
hundreds takes longer than a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from features.spec import Feature

T = TypeVar("T")
MOST_LISTS = 16


class ByFeatures(Generic[T]):
    """``make(features)``, kept for the last ``MOST_LISTS`` lists that were asked for."""

    def __init__(self, make: Callable[[tuple[Feature, ...]], T]) -> None:
        self._make = make
        # The features are kept beside what was made of them, so that no identity is used twice.
        self._kept: dict[tuple[int, ...], tuple[tuple[Feature, ...], T]] = {}

    def of(self, features: Sequence[Feature]) -> T:
        key = tuple(map(id, features))
        kept = self._kept.get(key)
        if kept is None:
            chosen = tuple(features)
            kept = chosen, self._make(chosen)
            while len(self._kept) >= MOST_LISTS:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = kept
        return kept[1]
