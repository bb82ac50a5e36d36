"""The last contact and the next booking that a score shows: small tables in, days out, at 00:00 of 5 January 2026."""

from __future__ import annotations

import datetime as dt

import pytest

from features.records import NO_DAY, date_of, day_of
from serving.nightly.arrival import arrived
from serving.nightly.run import latest_as_of
from serving.scoring.record_coverage import History
from tests.tables import records

HEADER = "patient_id contact_on mode kind outcome known_on outcome_known_on"
AS_OF = day_of("2026-01-05")


def shown(day: int) -> str | None:
    return None if day == NO_DAY else str(date_of(day))


@pytest.mark.parametrize(
    ("rows", "seen", "booked"),
    [
        (["2026-01-04 face_to_face routine attended 2026-01-04 2026-01-04"], "2026-01-04", None),
        # on the day itself the outcome is not read
        (["2026-01-04 face_to_face routine attended 2026-01-04 2026-01-05"], None, None),
        (["2025-12-30 face_to_face routine planned 2025-12-01 -"], None, None),
        (["2026-01-05 face_to_face routine planned 2026-01-04 -"], None, "2026-01-05"),
        # a booking made on the day itself is not known yet
        (["2026-01-06 face_to_face routine planned 2026-01-05 -"], None, None),
        # the sooner of two; one that was called off is none
        (
            [
                "2026-01-06 face_to_face routine cancelled_by_service 2026-01-01 2026-01-04",
                "2026-02-02 face_to_face routine planned 2026-01-01 -",
                "2026-01-20 telephone routine planned 2026-01-01 -",
            ],
            None,
            "2026-01-20",
        ),
        # called off, and nobody knows yet
        (["2026-01-06 face_to_face routine cancelled_by_service 2026-01-01 2026-01-05"], None, "2026-01-06"),
    ],
)
def test_last_seen_and_next_booked(rows, seen, booked):
    made = records(contacts="\n".join([HEADER, *(f"anna {row}" for row in rows)]))
    history = History(made, AS_OF)
    assert (shown(history.last_seen[0]), shown(history.next_booked[0])) == (seen, booked)


PLANNED_LAST = f"""{HEADER}
anna 2025-11-01 face_to_face routine attended - -
anna 2025-12-01 face_to_face routine planned - -
anna 2026-01-20 face_to_face routine planned 2025-12-02 -
"""


def test_a_list_is_of_the_day_after_the_last_thing_that_happened_not_of_a_booking():
    assert latest_as_of(records(contacts=PLANNED_LAST)) == dt.date(2025, 11, 2)


def test_the_newest_contact_of_an_extract_is_one_that_happened():
    found = arrived(records(contacts=PLANNED_LAST), dt.date(2026, 1, 5), False, {})
    assert found.newest["contacts"] == "2025-11-01"
