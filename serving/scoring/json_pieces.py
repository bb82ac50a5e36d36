"""Writes the long lists of an answer as pieces of JSON. Of the contributions of a score, and of the features behind its
reasons, only the numbers differ, so the text is written once per model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import to_json

from models.explain.reasons import FeatureText, Reasoner


def with_list(members: dict[str, Any], name: str, items: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Pieces of a JSON object: some members, and one member of this name that is a list of ``items``, each given as
    pieces.
    """
    yield to_json(members)[:-1]
    before = b',"%s":[' % name.encode()
    for item in items:
        yield before
        yield from item
        before = b","
    yield b"]}" if before == b"," else before + b"]}"


class Contributions:
    """The JSON text of one model's contributions. Made once per answer."""

    def __init__(self, features: Sequence[FeatureText]) -> None:
        self._words = _words(tuple(map(attrgetter("name"), features)), tuple(map(attrgetter("concept"), features)))

    def heads(self, values: npt.NDArray[np.floating]) -> list[bytes]:
        """The text before each number that differs from score to score. ``values`` has shape (features,), NaN if
        nothing is recorded.
        """
        told = [None if value != value else value for value in values.tolist()]
        return [b'%s%s,"contribution":' % pair for pair in zip(self._words, _numbers(told), strict=True)]


class Reasons:
    """The JSON text of one model's reasons, of which only the number differs where the words are the same. Made once
    per model."""

    def __init__(self, reasoner: Reasoner) -> None:
        self._reasoner = reasoner
        self._made: dict[tuple[int, bool, bool, bool], tuple[str, bytes, bytes, bytes]] = {}

    def slug(self, concept: int, part: float, recorded: bool, in_order: bool) -> str:
        """The concept of a reason."""
        return self._of(concept, part, recorded, in_order)[0]

    def texts(self, reasons: Sequence[tuple[int, float, bool, bool]], features: Iterable[bytes]) -> Iterator[bytes]:
        """Each reason up to the end of its ``features``, which are given as JSON."""
        numbers = _numbers([part for _, part, _, _ in reasons])
        for reason, number, inside in zip(reasons, numbers, features, strict=False):
            _, before, _, after = self._of(*reason)
            yield before + number + after + inside

    def plain(self, reasons: Sequence[tuple[int, float, bool, bool]]) -> list[bytes]:
        """Each reason without its ``features``."""
        numbers = _numbers([part for _, part, _, _ in reasons])
        around = [self._of(*reason) for reason in reasons]
        return [before + number + after for (_, before, after, _), number in zip(around, numbers, strict=False)]

    def _of(self, concept: int, part: float, recorded: bool, in_order: bool) -> tuple[str, bytes, bytes, bytes]:
        """The slug, the text before the number, and the text after it without features and up to these."""
        key = concept, part > 0, recorded, in_order
        made = self._made.get(key)
        if made is None:
            said = self._reasoner.reason(concept, part, recorded, in_order)
            before = to_json({"concept": said.concept, "label": said.label, "direction": said.direction})
            after = to_json({"sentence": said.sentence})
            end = b"," + after[1:]
            made = said.concept, before[:-1] + b',"contribution":', end, end[:-1] + b',"features":'
            self._made[key] = made
        return made


class ReasonFeatures:
    """The JSON text of the features behind reasons, without what differs from person to person."""

    def __init__(self, features: Sequence[FeatureText]) -> None:
        self._heads = [to_json({"name": feature.name})[:-1] + b',"value":' for feature in features]
        self._units = [b',"unit":' + to_json(feature.unit) + b',"contribution":' for feature in features]

    def of_person(
        self, places: Sequence[int], values: Sequence[float], days: Sequence[str | None]
    ) -> dict[int, tuple[bytes, bytes]]:
        """For each feature at ``places`` the text before and after its contribution; ``values`` and ``days`` are those
        of the features at these places."""
        told = _numbers([None if value != value else value for value in values])
        heads, units = self._heads, self._units
        return {
            place: (heads[place] + number + units[place], _end(number == b"null", day))
            for place, number, day in zip(places, told, days, strict=True)
        }


def reason_features(
    of_person: Mapping[int, tuple[bytes, bytes]], reasons: Sequence[tuple[Sequence[int], Sequence[float]]]
) -> Iterator[bytes]:
    """The features of each reason as a JSON list: those at its places, with their parts of the score. ``reasons`` holds
    the places of each and the parts of all features."""
    parts = iter(_numbers([parts[place] for places, parts in reasons for place in places]))
    for places, _ in reasons:
        around = map(of_person.__getitem__, places)
        pieces = [before + part + after for (before, after), part in zip(around, parts, strict=False)]
        yield b"[%s]" % b",".join(pieces)


@lru_cache(maxsize=4_096)
def _end(missing: bool, day: str | None) -> bytes:
    return b',"missing":%s,"date":%s}' % (to_json(missing), to_json(day))


def contributions(heads: Sequence[bytes], parts: Sequence[float]) -> bytes:
    """One ``Contribution`` per feature, in the order of the features, separated by commas."""
    return b"".join(chain.from_iterable(zip(heads, _numbers(parts), strict=True))) + b"}"


@cache
def _words(names: tuple[str, ...], concepts: tuple[str, ...]) -> tuple[bytes, ...]:
    """Each feature's entry up to its value, after the end of the previous one."""
    pairs = zip(names, concepts, strict=True)
    entries = [to_json({"name": name, "concept": concept})[:-1] + b',"value":' for name, concept in pairs]
    return (*entries[:1], *(b"}," + entry for entry in entries[1:]))


def _numbers(values: Sequence[Any]) -> list[bytes]:
    """Each number as JSON, null for None, all in one call."""
    return to_json(values)[1:-1].split(b",")
