"""``build`` with the whole catalogue as its default: one call from records to features."""

from collections.abc import Sequence

import pandas as pd

from features import engine
from features.catalogue import CATALOGUE
from features.engine import Feature, FeatureMatrix
from features.records import Records


def build(
    records: Records,
    spine: pd.DataFrame,
    features: Sequence[Feature | str] | None = None,
    *,
    threads: int | None = None,
) -> FeatureMatrix:
    """Features of every row of ``spine`` (patient_id, as_of[, team_id]), rows in the order given.

    ``features`` are names in the catalogue or Feature values; by default the whole catalogue. ``as_of`` means 00:00
    of that day: only rows whose event day and ``known_on`` lie before it are read. Raises SpineError for rows that
    cannot be computed, KeyError for an unknown name.
    """
    chosen = (
        tuple(CATALOGUE) if features is None else tuple(CATALOGUE[f] if isinstance(f, str) else f for f in features)
    )
    return engine.build(records, spine, chosen, threads=threads)
