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

    def sentence(self, raises: bool, recorded: bool) -> str:
        """What the reason says. Where nothing behind it is recorded, it says that and nothing else: absence is never worded as normal."""
        verb = "Raises" if raises else "Lowers"
        if not recorded:
            return f"{verb} the estimated risk: {self.label.lower()}, where nothing is recorded or nothing applies."
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
    sentence = concept.sentence(raises, recorded=not all(part["missing"] for part in parts))
    return Reason(concept.slug, concept.label, "raises" if raises else "lowers", total, sentence, parts)
