"""A planned contact: it is known from the day it was booked, it has no outcome, and it is nothing that happened."""

from __future__ import annotations

import pytest

from features import build
from features.records import NO_DAY, date_of
from tests.tables import records, spine

HEADER = "patient_id booked_on contact_on mode kind outcome known_on outcome_known_on"


def clocks(row: str) -> tuple[str | None, str | None]:
    """When the row, and when its outcome, became known."""
    columns = records(contacts=f"{HEADER}\nanna {row}").columns("contacts")
    days = (int(columns[name][0]) for name in ("known_on", "outcome_known_on"))
    known, told = (None if day == NO_DAY else str(date_of(day)) for day in days)
    return known, told


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ("2025-11-03 2025-12-01 face_to_face routine planned - -", ("2025-11-03", None)),
        # what the extract says wins over the booking, and over the delay
        ("2025-11-03 2025-12-01 face_to_face routine planned 2025-11-05 -", ("2025-11-05", None)),
        # without a booking: the usual delay of the table
        ("- 2025-12-01 face_to_face routine planned - -", ("2025-12-03", None)),
        # an outcome that has not come has no day, whatever the extract says
        ("2025-11-03 2025-12-01 face_to_face routine planned - 2025-11-03", ("2025-11-03", None)),
        # a contact that took place is known by its own day, not by the booking
        ("2025-11-03 2025-12-01 face_to_face routine attended - -", ("2025-12-03", "2025-12-03")),
    ],
)
def test_when_a_contact_and_its_outcome_became_known(row, known):
    assert clocks(row) == known


def test_a_planned_contact_is_neither_attended_nor_missed_however_long_ago_it_was():
    made = records(
        contacts=f"{HEADER}\nanna 2025-10-01 2025-11-01 face_to_face routine attended - -"
        "\nanna 2025-11-03 2025-12-01 face_to_face routine planned - -"
    )
    names = ["days_since_attended", "missed_90d", "attended_90d"]
    values = build(made, spine("anna 2025-12-20"), names).values
    assert values.tolist() == [[49, 0, 1]]


def test_the_last_day_of_an_extract_is_the_last_day_of_what_happened():
    happened = "\nanna - 2025-11-01 face_to_face routine attended - -"
    planned = "\nanna 2025-11-03 2025-12-01 face_to_face routine planned - -"
    assert str(date_of(records(contacts=HEADER + happened + planned).last_day_known())) == "2025-11-01"
