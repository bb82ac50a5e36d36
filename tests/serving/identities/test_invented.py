"""The names of a demo are plainly invented: NHS numbers of the test range, no two alike, the same every time."""

from __future__ import annotations

import datetime as dt

from features.records.reading.nhs_numbers import checked
from serving.identities.invented import GIVEN, SURNAMES, invented


def test_every_name_is_invented_and_every_number_is_of_the_test_range():
    born = dt.date(1980, 1, 1)
    people = [(f"P{i:05d}", born if i % 2 else None) for i in range(3_000)]
    found = invented(people)
    assert invented(people) == found and len(found) == 3_000
    numbers = {one.nhs_number for one in found.values()}
    assert len(numbers) == 3_000 and all(checked(n).startswith("999") for n in numbers)
    for one in found.values():
        given, surname = one.name.split(" ")
        assert given in GIVEN and surname in SURNAMES
    assert len({one.name for one in found.values()}) > 1_000
