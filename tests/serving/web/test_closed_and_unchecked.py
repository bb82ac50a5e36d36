"""The person's page and the API show what closed overdue care, and what could not be checked."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from types import SimpleNamespace

import pytest
from sqlalchemy import delete, select, update

from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.storage.tables import gaps, runs, summaries
from serving.summaries.schemas import summary_of_row


def test_the_interface_and_the_page_say_what_could_not_be_checked(client, as_role, browser):
    person = client.get("/v1/patients/N02", headers=as_role("everywhere")).json()
    unchecked = person["summary"]["unchecked"]
    page = browser("pharmacist:north").get("/patients/N02").text.replace("&#39;", "'")
    assert unchecked
    assert all(line in page for line in unchecked)
    assert "every check that applies could be made" not in page


def test_a_closed_gap_is_shown_with_its_day_and_what_was_done():
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


def test_a_row_of_an_earlier_version_shows_nothing_closed_or_unchecked():
    about = {"age": None, "diagnoses": [], "allergies": [], "shared_care": [], "worker": None, "carer": None}
    row = SimpleNamespace(medicines=[], dues=[], about={**about, "not_known": []})
    found = summary_of_row(row, dt.date(2026, 1, 5))
    assert found.closed == [] and found.unchecked is None


@pytest.fixture
def lists(home, start, world):
    """Two lists, a week apart. Gives what writes the facts of N03 in the list of a day, and what reads its row of the
    list now: the page and the JSON."""
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    bearer = {"Authorization": f"Bearer {issue_token(home, 'pharmacist', ['north'], 'Ann')}"}
    with start(home) as client:
        client.cookies.set("upstream_session", issue_token(home, "pharmacist", ["north"], "Ann", kind="session"))
        database = client.app.state.service.database

        def write(days, **facts):
            with database.write() as connection:
                day = world.AS_OF + dt.timedelta(days=days)
                (run,) = connection.execute(select(runs.c.run_id).where(runs.c.as_of == day)).scalars()
                row = (summaries.c.run_id == run, summaries.c.patient_id == "N03")
                about = connection.execute(select(summaries.c.about).where(*row)).scalar_one()
                connection.execute(update(summaries).where(*row).values(about={**about, **facts}))
                if "unchecked" in facts:
                    connection.execute(delete(gaps).where(gaps.c.run_id == run, gaps.c.patient_id == "N03"))

        def row():
            items = client.get("/v1/teams/north/worklist", headers=bearer).json()["items"]
            page = unescape(client.get("/teams/north").text)
            html = page.split('scope="row"><a href="/patients/N03')[1].split("</tr>")[0]
            return html, next(one for one in items if one["patient_id"] == "N03")

        yield write, row


def test_the_list_shows_what_is_closed_since_the_list_before(lists, world):
    write, row = lists
    closed = ["CLZ_FBC_OVERDUE", "full blood count", -2, 5]
    write(7, closed=[closed])
    write(0, closed=[])
    html, entry = row()
    on = world.AS_OF + dt.timedelta(days=5)
    assert f"Closed: full blood count of {on.day} {on:%b}." in html
    assert entry["closed"] == [{"code": closed[0], "what": closed[1], "on": on.isoformat(), "days_late": 5}]


def test_a_closing_that_the_list_before_showed_is_not_shown_again(lists):
    write, row = lists
    write(7, closed=[["CLZ_FBC_OVERDUE", "full blood count", -9, 5], ["LAI_OVERDUE", "injection", -9, 3]])
    write(0, closed=[["CLZ_FBC_OVERDUE", "full blood count", -2, 5]])
    html, entry = row()
    assert [one["what"] for one in entry["closed"]] == ["injection"]
    assert "Closed: injection of" in html and "full blood count of" not in html


@pytest.mark.parametrize(
    ("unchecked", "words"),
    [
        (["whether ECG is due", "kidney function"], "2 not checked"),
        ([], "Nothing overdue, and every check that applies could be made"),
        (None, "Nothing overdue found in what is recorded"),
    ],
)
def test_somebody_with_nothing_found_has_what_could_not_be_checked_folded_in_their_row(lists, unchecked, words):
    write, row = lists
    write(7, unchecked=unchecked)
    html, entry = row()
    assert entry["unchecked"] == unchecked and entry["gaps"] == []
    assert words in re.sub(r"<[^>]+>", "", html)
    assert ("whether ECG is due; kidney function</details>" in html) == bool(unchecked)
