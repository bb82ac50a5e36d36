"""Which long-acting injection of a substance a row means, by strength or interval; where they do not say, none."""

import pytest

from features.reference.medicines.long_acting import long_acting_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("base", "amounts", "interval", "medicine"),
    [
        ("haloperidol", (), NAN, "haloperidol decanoate injection"),  # the only one
        ("aripiprazole", (400,), NAN, "aripiprazole 1-monthly injection"),
        ("aripiprazole", (960,), NAN, "aripiprazole 2-monthly injection"),
        ("aripiprazole", (9.75,), NAN, None),  # the short-acting vial
        ("aripiprazole", (400, 960), NAN, None),  # dose and strength tell two products
        ("paliperidone", (150, 100), NAN, "paliperidone palmitate 1-monthly injection"),
        ("paliperidone", (), NAN, None),
        ("paliperidone", (600,), NAN, None),  # sold in no such strength
    ],
)
def test_strength_or_interval_decides(base, amounts, interval, medicine):
    assert long_acting_of(base, amounts, interval) == medicine
