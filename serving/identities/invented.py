"""Invented identities for a demo: surnames that nobody has, and NHS numbers from the range for tests (999)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable

from features.records.reading.nhs_numbers import NotAnNhsNumber, checked
from serving.identities.schemas import Identity

GIVEN = (
    *("Alex", "Ash", "Bo", "Cam", "Charlie", "Dana", "Ellis", "Fin", "Frankie", "Gray", "Harper", "Indy"),
    *("Jo", "Jude", "Kai", "Kit", "Lee", "Mo", "Nico", "Noor", "Ollie", "Pat", "Quinn", "Ray"),
    *("Remi", "Robin", "Sam", "Sasha", "Sky", "Toni", "Val", "Wren", "Yuri", "Zia"),
)
SURNAMES = tuple(
    f"{first}{last}"
    for first in ("Example", "Invented", "Sample", "Pretend", "Madeup", "Demo", "Mock", "Testcase", "Notreal", "Fable")
    for last in ("ton", "ford", "by", "worth", "well", "ley", "shaw", "dale", "field", "wick")
)


def invented(people: Iterable[tuple[str, dt.date | None]]) -> dict[str, Identity]:
    """An identity for each (id, date of birth), always the same for the same people in the same order."""
    found: dict[str, Identity] = {}
    number = 0
    for patient_id, born in people:
        number, nhs = _next_number(number)
        drawn = int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8])
        given, surname = GIVEN[drawn % len(GIVEN)], SURNAMES[drawn // len(GIVEN) % len(SURNAMES)]
        found[patient_id] = Identity(f"{given} {surname}", born, nhs)
    return found


def _next_number(after: int) -> tuple[int, str]:
    """The next valid NHS number that begins with 999."""
    for place in range(after + 1, 1_000_000):
        for last in "0123456789":
            try:
                return place, checked(f"999{place:06d}{last}")
            except NotAnNhsNumber:
                continue
    raise ValueError("the range of test numbers is used up")
