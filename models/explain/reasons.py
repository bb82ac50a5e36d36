"""Turns contributions of features into reasons for clinicians: summed by clinical concept, ranked by size, worded
"raises" or "lowers".

A reason says what the model weighed, never why a person is unwell. Contributions are summed before ranking, because
windows of one signal share credit between them. The horizon's part is not a reason, and protected characteristics are
not features (docs/architecture.md rule 6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleRefused

_SMALLEST = 1e-9
NEVER_A_COMFORT = frozenset(("outcome_scores",))
"""Concepts that are a reason only where they raise a risk: a good score on a rating scale is no reason to be seen less
(docs/architecture.md rule 6). Their contributions count as they are."""


@dataclass(frozen=True)
class FeatureText:
    """What a bundle stores about a feature. ``low`` and ``high`` are the allowed range; ``missing`` says what absence
    means.
    """

    name: str
    concept: str
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    direction: int = 0
    missing: str = ""
    why: str = ""


@dataclass(frozen=True)
class ConceptText:
    """The wording of one concept: a label, and for each direction a phrase that completes "Raises the estimated risk:
    ...".
    """

    slug: str
    label: str
    raises: str
    lowers: str

    @classmethod
    def plain(cls, slug: str) -> ConceptText:
        """Wording made from the slug, for a concept that has no entry in the table."""
        label = slug.replace("_", " ")
        return cls(slug, label.capitalize(), label, label)

    def sentence(self, raises: bool, recorded: bool, in_order: bool = True) -> str:
        """The sentence of the reason. If nothing is recorded for the concept, the sentence says only that: absence is
        never worded as normal.

        ``in_order`` is false if a part of the concept is overdue or has happened. Then "lowers" does not suggest that
        all is well.
        """
        verb = "Raises" if raises else "Lowers"
        if not recorded:
            return f"{verb} the estimated risk: {self.label.lower()}. There is nothing on record, or it does not apply."
        if not raises and not in_order:
            return f"{verb} the estimated risk: {self.label.lower()}, on balance; not all is in order."
        return f"{verb} the estimated risk: {(self.raises if raises else self.lowers).rstrip('.')}."


class Reason(NamedTuple):
    """One concept's part of a calibrated logit. ``features`` holds {name, value, unit, contribution, missing}, largest
    part first."""

    concept: str
    label: str
    direction: Literal["raises", "lowers"]
    contribution: float
    sentence: str
    features: list[dict[str, Any]]


def check_wording(concepts: Sequence[ConceptText]) -> None:
    """Refuse wording that claims a cause. Raises ``BundleRefused``."""
    for concept in concepts:
        for sentence in (concept.label, concept.raises, concept.lowers):
            if "because" in sentence.lower().split():
                raise BundleRefused(
                    f'concept {concept.slug}: its wording says "because"; a contribution is not a cause. Word it '
                    f'"raises" or "lowers"'
                )


class Reasoner:
    """Finds the reasons of a row. Made once per model, because every score uses it."""

    def __init__(self, features: Sequence[FeatureText], concepts: Mapping[str, ConceptText]) -> None:
        self._features = tuple(features)
        slugs = sorted({feature.concept for feature in features})
        self._concepts = [concepts.get(slug, ConceptText.plain(slug)) for slug in slugs]
        members = [[i for i, feature in enumerate(features) if feature.concept == slug] for slug in slugs]
        self._order = np.array([i for inside in members for i in inside], dtype=np.intp)
        self._starts = np.cumsum([0, *(len(inside) for inside in members)][:-1])
        self._members = [sorted(inside, key=lambda i: features[i].name) for inside in members]
        yes_no = (False, True)
        self._sentences = [
            {(a, b, c): concept.sentence(a, b, c) for a in yes_no for b in yes_no for c in yes_no}
            for concept in self._concepts
        ]
        self._no_comfort = np.array([slug in NEVER_A_COMFORT for slug in slugs], dtype=bool)
        self._zero_is_none = np.array([feature.missing == "zero" for feature in features], dtype=bool)
        # A check that cannot be assessed does not count as up to date.
        self._bad_news = np.array(
            [feature.direction > 0 or "past_due" in feature.name or "unsure" in feature.name for feature in features],
            dtype=bool,
        )

    def find(self, contributions: NDArray[np.float64], values: NDArray[np.floating], top: int) -> list[Reason]:
        """At most ``top`` reasons for one score. ``contributions`` and ``values`` have shape (features,), in feature
        order.
        """
        (ranked,) = self.rank(contributions[None], values, top)
        told, parts, sizes = values.tolist(), contributions.tolist(), (-np.abs(contributions)).tolist()
        return [self.reason(*one, self._parts(one[0], parts, sizes, told)) for one in ranked]

    def rank(
        self, contributions: NDArray[np.float64], values: NDArray[np.floating], top: int
    ) -> list[list[tuple[int, float, bool, bool]]]:
        """What :meth:`reason` words, for several scores of one row: of at most ``top`` concepts of each score the place
        of the concept, its part of the score, whether anything is recorded for it, and whether all of that is in order.
        ``contributions`` has shape (scores, features)."""
        if not self._features:
            return [[] for _ in contributions]
        return self.rank_rows(contributions, values[None], top)

    def rank_rows(
        self, contributions: NDArray[np.float64], values: NDArray[np.floating], top: int
    ) -> list[list[tuple[int, float, bool, bool]]]:
        """The same for the scores of many rows, one row after the other, each with as many scores. ``values`` has shape
        (rows, features)."""
        if not self._features:
            return [[] for _ in contributions]
        totals = np.add.reduceat(contributions[:, self._order], self._starts, axis=1)
        sizes = np.where(self._no_comfort & (totals < 0), 0.0, np.abs(totals))
        # The slugs are sorted and the sort is stable, so equal sizes are ordered by name.
        ranked = np.argsort(-sizes, axis=1, kind="stable")[:, :top]
        score = np.arange(len(totals))[:, None]
        largest, enough = totals[score, ranked], sizes[score, ranked] >= _SMALLEST
        row = score // max(1, len(totals) // len(values))
        recorded, wrong = (standing[row, ranked] for standing in self._standing(values))
        columns = (part.tolist() for part in (ranked, largest, recorded, ~wrong, enough))
        return [
            [(c, total, known, fine) for c, total, known, fine, counts in zip(*one, strict=True) if counts]
            for one in zip(*columns, strict=True)
        ]

    def _standing(self, values: NDArray[np.floating]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """For each row and concept: whether anything is recorded for it, and whether something of it is overdue or has
        happened.

        A count of 0 from no rows at all (``missing`` is "zero") records nothing: "none missed" of no appointments is
        not good news. Features without a part in this score are read too, because they distinguish "none missed of
        five" from "nobody has been in touch".
        """
        recorded = ~np.isnan(values) & ~((values == 0) & self._zero_is_none)
        wrong = (values > 0) & self._bad_news
        return (
            np.logical_or.reduceat(recorded[:, self._order], self._starts, axis=1),
            np.logical_or.reduceat(wrong[:, self._order], self._starts, axis=1),
        )

    def largest(self, concepts: Sequence[int], contributions: NDArray[np.float64]) -> list[list[int]]:
        """For the concept at each place the positions of its features that have a part in a score, largest first; equal
        parts by name."""
        sizes = (-np.abs(contributions)).tolist()
        return [self._largest(c, sizes) for c in concepts]

    def _largest(self, c: int, sizes: Sequence[float]) -> list[int]:
        """``sizes`` are the parts without their sign, below zero, so that the largest comes first."""
        found = [i for i in self._members[c] if sizes[i]]  # by name, and the sort is stable
        found.sort(key=sizes.__getitem__)
        return found

    def _parts(
        self, c: int, contributions: list[float], sizes: list[float], values: list[float]
    ) -> list[dict[str, Any]]:
        """The features of a concept that have a part in a score, largest first."""
        return [
            {
                "name": self._features[i].name,
                "value": None if math.isnan(values[i]) else values[i],
                "unit": self._features[i].unit,
                "contribution": contributions[i],
                "missing": math.isnan(values[i]),
            }
            for i in self._largest(c, sizes)
        ]

    def reason(
        self, c: int, total: float, recorded: bool, in_order: bool, features: list[dict[str, Any]] | None = None
    ) -> Reason:
        """The reason that the concept at a place gives for its part of a score."""
        concept, raises = self._concepts[c], total > 0
        sentence = self._sentences[c][raises, recorded, in_order]
        direction: Literal["raises", "lowers"] = "raises" if raises else "lowers"
        return Reason(concept.slug, concept.label, direction, total, sentence, features or [])
