"""Lengths of time as people say them."""

import pytest

from serving.wording import length_of_time


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (45, "45 days"),
        (61, "2 months"),
        (364, "1 year"),
        (396, "1 year 1 month"),
        (2088, "5 years 9 months"),
        (2979, "8 years 2 months"),
    ],
)
def test_a_number_of_days_is_said_in_the_unit_that_fits(number, said):
    assert length_of_time(number) == said
