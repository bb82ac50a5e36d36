"""Outcome scores: what a rating scale said last, and how it has moved in a year.

They enter as results (``features/reference/tests.csv``). No direction is set, because a scale is filled in for those
who are seen. A good score is no reason to be seen less: it is never listed as a reason that lowers a risk.
"""

from __future__ import annotations

from features.catalogue.shorthand import feature
from features.engine import Feature, stream

SCALES = {
    "honos_total": ("HoNOS total (0 to 48, higher is more problems)", 0, 48),
    "dialog_mean": ("DIALOG mean satisfaction (1 to 7, higher is more satisfied)", 1, 7),
    "reqol_10": ("ReQoL-10 (0 to 40, higher is better quality of life)", 0, 40),
    "panss_total": ("PANSS total (30 to 210, higher is more symptoms)", 30, 210),
    "gaf": ("GAF (1 to 100, higher is better functioning)", 1, 100),
}
"""What each score is, its lowest and its highest value."""


def _features(test: str) -> tuple[Feature, Feature]:
    words, low, high = SCALES[test]
    of, span = stream("results", test=test), high - low
    return (
        feature(
            f"{test}_latest", "outcome_scores", "latest", of, ("score", low, high), f"Latest {words}.", value="value"
        ),
        feature(
            f"{test}_change_365d",
            "outcome_scores",
            "change",
            of,
            ("score", -span, span),
            f"Change of {words} over the last year.",
            window=365,
            value="value",
        ),
    )


FEATURES = tuple(one for test in SCALES for one in _features(test))
