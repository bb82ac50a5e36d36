"""The evidence for a person's reasons: dated rows of the record, the day of each feature's newest row, and the age of
each source.

There is one answer per concept and person, the same for all outcomes and horizons. The rows come from the concept's
features with the largest contributions to any of the person's scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features import CATALOGUE, Feature, Records
from features.engine.provenance import OfPerson, SourceRows, iso_day
from features.records import NO_DAY
from models import Scores
from serving.scoring.record_coverage import STALE_AFTER_DAYS

MOST_ROWS = 5


class Behind:
    """For people at ``place`` in ``records``, one per row of ``scores``, on a day. ``names`` are the model's features
    in order.
    """

    def __init__(
        self, records: Records, as_of_day: int, place: npt.NDArray[np.int64], scores: Scores, names: tuple[str, ...]
    ) -> None:
        self._place, self._scores = place, scores
        features, self._tables, self._members = _layout(names)
        self._rows = SourceRows(records, as_of_day, features)

    @cached_property
    def days(self) -> npt.NDArray[np.int32]:
        """Shape (rows, features): the day of the newest row behind each feature, ``NO_DAY`` if there is none."""
        return self._rows.days[self._place]

    def concepts(self, row: int, slugs: Iterable[str]) -> dict[str, dict[str, Any]]:
        """For each concept ``rows`` (newest first) and ``sources`` (the tables it reads and how old they are for this
        person)."""
        weight, newest = self._weights[row].tolist(), self._rows.of(int(self._place[row]))
        return {slug: self._concept(slug, weight, newest) for slug in dict.fromkeys(slugs)}

    @cached_property
    def _weights(self) -> npt.NDArray[np.float64]:
        """Shape (rows, features): the largest absolute contribution of each feature over all outcomes and horizons."""
        parts = [
            np.abs(found.contributions).max(axis=1)
            for found in self._scores.values()
            if found.contributions is not None
        ]
        return np.max(parts, axis=0)

    def _concept(self, slug: str, weight: list[float], newest: OfPerson) -> dict[str, Any]:
        # The sort is stable: equal weights keep the order of the features.
        chosen = sorted([i for i in self._members[slug] if weight[i] > 0], key=weight.__getitem__, reverse=True)
        tables = dict.fromkeys([self._tables[i] for i in chosen])
        return {
            "rows": [found.as_dict() for found in self._rows.behind(chosen, newest, MOST_ROWS)],
            "sources": [
                {"source": table, "age_days": age, "stale": age is not None and age > STALE_AFTER_DAYS.get(table, age)}
                for table, age in self._rows.ages(tables, newest)
            ],
        }


@cache
def _layout(names: tuple[str, ...]) -> tuple[tuple[Feature, ...], tuple[str, ...], dict[str, list[int]]]:
    """The features of a model, the table of each, and the positions of each concept's features among them."""
    features = tuple(CATALOGUE[name] for name in names)
    members: dict[str, list[int]] = {}
    for i, feature in enumerate(features):
        members.setdefault(feature.concept, []).append(i)
    return features, tuple(feature.table for feature in features), members


def with_what_is_behind(
    reason: Mapping[str, Any], behind: Mapping[str, Any], days: Mapping[str, str | None]
) -> dict[str, Any]:
    """A reason with its rows and sources; each feature gets the day of its newest row."""
    features = [{**feature, "date": days.get(feature["name"])} for feature in reason["features"]]
    return {**reason, "features": features, "rows": behind.get("rows", []), "sources": behind.get("sources", [])}


__all__ = ["NO_DAY", "Behind", "iso_day", "with_what_is_behind"]
