"""The orders that a list can be published in."""

from __future__ import annotations

from enum import StrEnum


class Ranking(StrEnum):
    """``risk``: the highest probability first. ``gaps``: the most severe safety gap first, then risk.
    ``blended``: the two in turn."""

    RISK = "risk"
    GAPS = "gaps"
    BLENDED = "blended"
