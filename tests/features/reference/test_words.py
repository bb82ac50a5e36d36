"""What a free value means."""

from __future__ import annotations

import pytest

from features.reference.words import circumstance_value


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("20 a day", "20_a_day"),
        ("20_a_day", "20_a_day"),
        ("10 cigarettes per day", "10_a_day"),
        ("0 a day", "0_a_day"),
        ("current smoker", "smoker"),
        ("many a day", None),
    ],
)
def test_an_amount_of_smoking_is_read(text, meaning):
    assert circumstance_value("smoking", text) == meaning


def test_an_amount_is_not_read_for_other_kinds_of_circumstance():
    assert circumstance_value("housing", "20 a day") is None
