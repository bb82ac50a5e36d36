"""What closed overdue care, and what could not be checked, stand on the person's page and in the interface."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

from serving.summaries.schemas import summary_of_row


def test_the_interface_and_the_page_say_what_could_not_be_checked(client, as_role, browser):
    person = client.get("/v1/patients/N02", headers=as_role("everywhere")).json()
    unchecked = person["summary"]["unchecked"]
    page = browser("pharmacist:north").get("/patients/N02").text.replace("&#39;", "'")
    assert unchecked
    assert all(line in page for line in unchecked)
    assert "every check that applies could be made" not in page


def test_a_closing_is_a_day_and_what_was_done():
    row = SimpleNamespace(
        medicines=[],
        dues=[],
        about={
            "age": None,
            "diagnoses": [],
            "allergies": [],
            "shared_care": [],
            "worker": None,
            "carer": None,
            "not_known": [],
            "unchecked": ["whether ECG is due"],
            "closed": [["CLZ_FBC_OVERDUE", "full blood count", -2, 5]],
        },
    )
    found = summary_of_row(row, dt.date(2026, 1, 5))
    (one,) = found.closed
    assert (one.code, one.what, one.on, one.days_late) == (
        "CLZ_FBC_OVERDUE",
        "full blood count",
        dt.date(2026, 1, 3),
        5,
    )
    assert found.unchecked == ["whether ECG is due"]


def test_a_row_that_an_earlier_version_wrote_says_nothing_of_either():
    about = {"age": None, "diagnoses": [], "allergies": [], "shared_care": [], "worker": None, "carer": None}
    row = SimpleNamespace(medicines=[], dues=[], about={**about, "not_known": []})
    found = summary_of_row(row, dt.date(2026, 1, 5))
    assert found.closed == [] and found.unchecked is None
