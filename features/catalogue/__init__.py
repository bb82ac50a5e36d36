"""The catalogue of features: one frozen list, in the order in which a model reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from features.catalogue import (
    bookings,
    engagement,
    freshness,
    monitoring,
    outcome_scores,
    prescribing,
    regimen,
    service_use,
)
from features.catalogue.concepts import CONCEPTS, Concept
from features.engine import Feature, SpecError


class Catalogue(Sequence[Feature]):
    """Features by position or by name. Names are unique and every concept is known."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = tuple(features)
        self._by_name = {feature.name: feature for feature in self._features}
        if len(self._by_name) != len(self._features):
            twice = sorted({f.name for f in self._features if [g.name for g in self._features].count(f.name) > 1})
            raise SpecError(f"features share a name: {', '.join(twice)}")
        strangers = sorted({f.concept for f in self._features} - set(CONCEPTS))
        if strangers:
            raise SpecError(
                f"concepts without wording: {', '.join(strangers)}; add them to features/catalogue/concepts.py"
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def __len__(self) -> int:
        return len(self._features)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features)

    def __getitem__(self, key: int | str | slice) -> Feature:  # type: ignore[override]
        if isinstance(key, str):
            try:
                return self._by_name[key]
            except KeyError:
                raise KeyError(f"{key} is not in the catalogue; see upstream features list") from None
        return self._features[key]  # type: ignore[return-value]

    def to_pandas(self) -> pd.DataFrame:
        """One row per feature: name, concept, table, verb, window, missing, unit, range, direction and why."""
        return pd.DataFrame([feature.as_dict() for feature in self._features])

    def __repr__(self) -> str:
        return f"Catalogue: {len(self)} features of {len({f.concept for f in self._features})} concepts"

    def __contains__(self, key: object) -> bool:
        return key in self._by_name or key in self._features


CATALOGUE = Catalogue(
    (
        *prescribing.FEATURES,
        *regimen.FEATURES,
        *monitoring.FEATURES,
        *engagement.FEATURES,
        *bookings.FEATURES,
        *service_use.FEATURES,
        *freshness.FEATURES,
        *outcome_scores.FEATURES,
    )
)

__all__ = ["CATALOGUE", "CONCEPTS", "Catalogue", "Concept"]
