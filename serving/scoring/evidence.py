"""The evidence for a person's reasons: dated rows of the record, the day of each feature's newest row, and the age of
each source.

There is one answer per concept and person, the same for all outcomes and horizons. The rows come from the concept's
features with the largest contributions to any of the person's scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import to_json

from features import CATALOGUE, Feature, Records
from features.engine.provenance import SourceRow, SourceRows, iso_day
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
        features, self._number, self._members = _layout(names)
        self._rows = SourceRows(records, as_of_day, features)

    @cached_property
    def days(self) -> npt.NDArray[np.int32]:
        """Shape (rows, features): the day of the newest row behind each feature, ``NO_DAY`` if there is none."""
        return self._rows.days[self._place]

    def texts(self, rows: Sequence[int], slugs: Sequence[str]) -> list[bytes]:
        """For each row and concept the JSON of ``rows`` (newest first) and ``sources`` (the tables it reads and how old
        they are for this person)."""
        line, asked = np.array(rows, np.int64), np.array([self._number[slug] for slug in slugs], np.int64)
        found = self._rows.behind(self._place[line], line, asked, self._weights, self._members, MOST_ROWS)
        said, tables = iter(map(_row, self._rows.described(found))), (*self._rows.tables, "")
        named, ages = found.tables.tolist(), self._rows.ages(found).tolist()
        return [
            b'{"rows":[%s],"sources":[%s]}'
            % (
                b",".join(islice(said, number)),
                b",".join([_source(tables[one], age) for one, age in zip(mine, old, strict=True) if one >= 0]),
            )
            for number, mine, old in zip(found.number.tolist(), named, ages, strict=True)
        ]

    @cached_property
    def _weights(self) -> npt.NDArray[np.float64]:
        """Shape (rows, features): the largest absolute contribution of each feature over all outcomes and horizons."""
        parts = [
            np.abs(found.contributions).max(axis=1)
            for found in self._scores.values()
            if found.contributions is not None
        ]
        return np.ascontiguousarray(np.max(parts, axis=0))


def _row(one: SourceRow) -> bytes:
    table, row, on, what = one
    return b'{"table":"%s","row":%d,"on":%s,"what":%s}' % (table.encode(), row, _day(on), _text(what))


@lru_cache(maxsize=8_192)
def _day(day: int) -> bytes:
    return to_json(iso_day(day))


@lru_cache(maxsize=65_536)
def _text(what: str) -> bytes:
    return to_json(what)


@lru_cache(maxsize=65_536)
def _source(table: str, age: int) -> bytes:
    """A table with its age in days, -1 where it has no row."""
    days = None if age < 0 else age
    stale = days is not None and days > STALE_AFTER_DAYS.get(table, days)
    return to_json({"source": table, "age_days": days, "stale": stale})


@cache
def _layout(names: tuple[str, ...]) -> tuple[tuple[Feature, ...], dict[str, int], list[npt.NDArray[np.int64]]]:
    """The features of a model, the number of each concept, and the positions of its features among them."""
    features = tuple(CATALOGUE[name] for name in names)
    members: dict[str, list[int]] = {}
    for i, feature in enumerate(features):
        members.setdefault(feature.concept, []).append(i)
    number = {slug: place for place, slug in enumerate(members)}
    return features, number, [np.array(places, np.int64) for places in members.values()]


def with_what_is_behind(
    reason: Mapping[str, Any], behind: Mapping[str, Any], days: Mapping[str, str | None]
) -> dict[str, Any]:
    """A reason with its rows and sources; each feature gets the day of its newest row."""
    features = [{**feature, "date": days.get(feature["name"])} for feature in reason["features"]]
    return {**reason, "features": features, "rows": behind.get("rows", []), "sources": behind.get("sources", [])}


__all__ = ["NO_DAY", "Behind", "iso_day", "with_what_is_behind"]
