"""A cache for what depends only on the list of features. Entries are found by the identity of the features, because
comparing hundreds of features takes longer than a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from features.spec import Feature

T = TypeVar("T")
MOST_LISTS = 16


class ByFeatures(Generic[T]):
    """``make(features)``, kept for the last ``MOST_LISTS`` lists requested."""

    def __init__(self, make: Callable[[tuple[Feature, ...]], T]) -> None:
        self._make = make
        # Keeping the features alive ensures that no identity is used twice.
        self._kept: dict[tuple[int, ...], tuple[tuple[Feature, ...], T]] = {}
        self._last: tuple[Sequence[Feature] | None, T | None] = None, None

    def of(self, features: Sequence[Feature]) -> T:
        last, made = self._last
        if features is last and made is not None:
            return made
        key = tuple(map(id, features))
        kept = self._kept.get(key)
        if kept is None:
            chosen = tuple(features)
            kept = chosen, self._make(chosen)
            while len(self._kept) >= MOST_LISTS:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = kept
        if isinstance(features, tuple):  # a list may be changed afterwards
            self._last = features, kept[1]
        return kept[1]
