"""How far back a walk reads each stream: no further than its features ask, and never less."""

from __future__ import annotations

import math
from typing import Any

import pytest

from features import Feature, build
from features.engine import EVER, results_of
from features.engine.operations import WHOLE, WINDOW_OPS, reach
from tests.tables import records, spine

WEIGHTS = """
patient_id  test    taken_on    value  unit  known_on
anna        weight  2022-01-01  70     kg    2022-01-02
anna        weight  2023-06-01  80     kg    2023-06-02
anna        weight  2024-06-01  -      -     2024-06-02
anna        weight  2025-05-01  99     kg    2025-06-01
anna        height  2025-04-30  170    cm    2025-04-30
"""
"""As of 10 May 2025 nothing of the weight lies in the last 90 days: its newest check has no value, and the value of 1
May is not known yet."""


def _feature(verb: str, window: int, number: float = 0, test: str = "weight") -> Feature:
    more: dict[str, Any] = {"value": "value"} if verb in ("latest", "change", "total", "slope") else {}
    return Feature(
        f"{verb}_{window}_{test}",
        "physical_health",
        verb,  # type: ignore[arg-type]
        results_of(test),
        window,
        "unknown",
        "any",
        -1e9,
        1e9,
        0,
        "A test.",
        number=number,
        **more,
    )


@pytest.mark.parametrize(
    ("verb", "window", "number", "expected"),
    [
        ("count", 90, 0, 0),
        ("count", EVER, 0, 3),
        ("days_since_last", EVER, 0, 343),
        ("days_since_first", EVER, 0, 1225),
        ("latest", EVER, 0, 80),
        ("change", EVER, 0, 10),
        ("change", 730, 0, math.nan),
        ("gap_ratio", EVER, 0, 343 / 441),
        ("fading_count", EVER, 343, 0.5 + 0.5 ** (709 / 343) + 0.5 ** (1225 / 343)),
        ("fading_count", EVER, 30, 0),
    ],
)
def test_a_feature_is_the_same_beside_one_of_the_last_days(verb: str, window: int, number: float, expected: float):
    """Beside a count of 30 days of another test, the old events of the weight are still found."""
    asked = (_feature("count", 30, test="height"), _feature(verb, window, number))
    values = build(records(results=WEIGHTS), spine("anna 2025-05-10"), asked).values[0]
    assert values[0] == 1
    assert values[1] == pytest.approx(expected, nan_ok=True)


SOME = ("days_since_last", "latest", "never_recorded", "days_since_first", "count_since", "recent_share")
"""Verbs that read the newest events or the oldest, wherever they lie."""


def test_every_verb_says_how_far_it_reads():
    assert {verb: reach(_feature(verb, 90)) for verb in WINDOW_OPS if not verb.startswith("fading")} == {
        verb: 0 if verb in SOME else WHOLE if verb == "gap_ratio" else 90
        for verb in WINDOW_OPS
        if not verb.startswith("fading")
    }
