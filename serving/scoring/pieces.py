"""The long lists of an answer as pieces of JSON: of 334 contributions a score only the numbers differ, so the words are written once for a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import to_json

from models.reasons import FeatureText


def with_list(document: bytes, name: str, items: Iterable[bytes]) -> bytes:
    """A JSON object with at least one member, and one more of this name: a list of ``items``, each JSON."""
    return b'%s,"%s":[%s]}' % (document[:-1], name.encode(), b",".join(items))


class Contributions:
    """How one model's contributions are written. Made once for an answer."""

    def __init__(self, features: Sequence[FeatureText]) -> None:
        self._words = _words(tuple(f.name for f in features), tuple(f.concept for f in features))

    def heads(self, values: npt.NDArray[np.floating]) -> list[bytes]:
        """Each feature's entry up to the number that differs from score to score. ``values`` has shape (features,), NaN where nothing is recorded."""
        told = [None if value != value else value for value in values.tolist()]
        return [b'%s%s,"contribution":' % pair for pair in zip(self._words, _numbers(told), strict=True)]


def contributions(heads: Sequence[bytes], parts: Sequence[float]) -> Iterable[bytes]:
    """One ``Contribution`` a feature, in the order of the features."""
    return [b"%s}" % entry for entry in map(add, heads, _numbers(parts))]


@cache
def _words(names: tuple[str, ...], concepts: tuple[str, ...]) -> tuple[bytes, ...]:
    """Each feature's entry up to its value."""
    pairs = zip(names, concepts, strict=True)
    return tuple(to_json({"name": name, "concept": concept})[:-1] + b',"value":' for name, concept in pairs)


def _numbers(values: Sequence[Any]) -> list[bytes]:
    """Each number as JSON writes it, null for None: all of them in one call."""
    return to_json(values)[1:-1].split(b",")
