"""Short functions to write a feature, with the values that most features share as defaults."""

from __future__ import annotations

from typing import Any

from features.engine import EVER, Feature, Stream
from features.spec import Missing, Verb

Scale = tuple[str, float, float]
"""Unit, lowest and highest value."""

SHARE: Scale = ("proportion", 0, 1)
YES_NO: Scale = ("yes or no", 0, 1)
FIVE_YEARS: Scale = ("days", 0, 1825)


def feature(
    name: str,
    concept: str,
    verb: Verb,
    of: Stream,
    scale: Scale,
    why: str,
    window: int = EVER,
    direction: int = 0,
    missing: Missing = "unknown",
    **rest: Any,
) -> Feature:
    """A Feature with these defaults: whole history, unknown direction, and an empty history counts as unknown."""
    if "total" in rest:
        rest["of"] = rest.pop("total")
    unit, low, high = scale
    return Feature(name, concept, verb, of, window, missing, unit, low, high, direction, why, **rest)


def days_since(name: str, of: Stream, concept: str, why: str, direction: int = 0) -> Feature:
    """Days since the last event of a stream."""
    return feature(name, concept, "days_since_last", of, FIVE_YEARS, why, direction=direction)


def share(name: str, of: Stream, total: Stream, window: int, concept: str, direction: int, why: str) -> Feature:
    """Events of one stream as a share of those of another."""
    return feature(name, concept, "share", of, SHARE, why, window, direction, total=total)
