"""From contributions of features to reasons a clinician can read: summed by clinical concept, ranked by size, worded "raises" or "lowers".

A reason says what the model weighed, never why a person is unwell. Concepts are summed before ranking, because windows of one signal share credit
between them. The part of the horizon is not a reason, and protected characteristics are not features at all (DESIGN rule 6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleRefused

_SMALLEST = 1e-9


@dataclass(frozen=True)
class FeatureText:
    """What a bundle keeps of a feature, so that it explains itself: ``low`` and ``high`` are the allowed range, ``missing`` says what absence means."""

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
    """The wording of one concept: a label, and for each direction a phrase that finishes "Raises the estimated risk: ..."."""

    slug: str
    label: str
    raises: str
    lowers: str

    @classmethod
    def plain(cls, slug: str) -> ConceptText:
        """Wording made from the slug, for a concept without an entry in the table."""
        label = slug.replace("_", " ")
        return cls(slug, label.capitalize(), label, label)

    def sentence(self, raises: bool, recorded: bool, in_order: bool = True) -> str:
        """What the reason says. Where nothing behind it is recorded, it says that and nothing else: absence is never worded as normal.

        ``in_order`` is false where a part of the concept is overdue or has happened; then "lowers" is not worded as if all were well.
        """
        verb = "Raises" if raises else "Lowers"
        if not recorded:
            return f"{verb} the estimated risk: {self.label.lower()}, where nothing is recorded or nothing applies."
        if not raises and not in_order:
            return f"{verb} the estimated risk: {self.label.lower()}, taken together; not every part of it is in order."
        return f"{verb} the estimated risk: {(self.raises if raises else self.lowers).rstrip('.')}."


@dataclass(frozen=True)
class Reason:
    """One concept's part of a calibrated logit. ``features`` holds {name, value, unit, contribution, missing}, largest part first."""

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
                    f'concept {concept.slug}: its wording says "because"; a contribution is not a cause. Word it "raises" or "lowers"'
                )


def find_reasons(
    contributions: NDArray[np.float64],
    values: NDArray[np.floating],
    features: Sequence[FeatureText],
    concepts: Mapping[str, ConceptText],
    top: int,
) -> list[Reason]:
    """At most ``top`` reasons for one row. ``contributions`` and ``values`` have shape (features,), in the order of ``features``."""
    size, known = contributions.tolist(), values.tolist()  # plain numbers: far faster to go through one by one
    members: dict[str, list[int]] = {}
    for i, feature in enumerate(features):
        if size[i] != 0.0:
            members.setdefault(feature.concept, []).append(i)
    totals = {slug: math.fsum(size[i] for i in inside) for slug, inside in members.items()}
    ranked = sorted(
        (slug for slug in totals if abs(totals[slug]) >= _SMALLEST), key=lambda slug: (-abs(totals[slug]), slug)
    )
    return [
        _reason(concepts.get(slug, ConceptText.plain(slug)), totals[slug], members[slug], size, known, features)
        for slug in ranked[:top]
    ]


def _reason(
    concept: ConceptText,
    total: float,
    inside: Sequence[int],
    size: Sequence[float],
    known: Sequence[float],
    features: Sequence[FeatureText],
) -> Reason:
    parts = [
        {
            "name": features[i].name,
            "value": None if math.isnan(known[i]) else known[i],
            "unit": features[i].unit,
            "contribution": size[i],
            "missing": math.isnan(known[i]),
        }
        for i in sorted(inside, key=lambda i: (-abs(size[i]), features[i].name))
    ]
    raises = total > 0
    sentence = concept.sentence(raises, *_standing(features[inside[0]].concept, known, features))
    return Reason(concept.slug, concept.label, "raises" if raises else "lowers", total, sentence, parts)


def _standing(slug: str, known: Sequence[float], features: Sequence[FeatureText]) -> tuple[bool, bool]:
    """Whether anything behind a concept is recorded, and whether what is recorded is in order.

    A count that reads 0 where there is no row at all (``missing`` is "zero") records nothing: "none missed" of no appointments is not good news.
    Features that had no part in this score are looked at too, since they tell "none missed of five" from "nobody has been in touch".
    """
    members = [i for i, feature in enumerate(features) if feature.concept == slug]
    recorded = any(_is_recorded(known[i], features[i]) for i in members)
    wrong = any(known[i] > 0 and (features[i].direction > 0 or "past_due" in features[i].name) for i in members)
    return recorded, not wrong


def _is_recorded(value: float, feature: FeatureText) -> bool:
    return not math.isnan(value) and not (value == 0 and feature.missing == "zero")
