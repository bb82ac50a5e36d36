"""How fresh each source is. Absence is signal: a person nobody has recorded anything about is not a person who is well."""

from __future__ import annotations

from features.engine import EVER, Feature, Stream, stream


def _since(name: str, of: Stream, words: str) -> Feature:
    return Feature(
        name=name,
        concept="data_freshness",
        verb="days_since_last",
        stream=of,
        window=EVER,
        missing="unknown",
        unit="days",
        low=0,
        high=1825,
        direction=0,
        why=f"Days since the last {words} that is known.",
    )


FEATURES: tuple[Feature, ...] = (
    _since("days_since_any_result", stream("results"), "result of any test"),
    _since("days_since_any_contact_row", stream("contacts"), "contact of any outcome"),
    _since("days_since_any_supply", stream("supplies"), "supply of any medicine"),
    _since(
        "days_since_circumstance",
        stream("circumstances", unless={"kind": ("interpreter", "language", "housing", "accessible_format")}),
        "note of circumstances",
    ),
)
