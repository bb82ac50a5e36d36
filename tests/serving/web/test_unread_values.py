"""Recorded values that were not understood are on the person's page and in the API, through the nightly run."""

from __future__ import annotations

import datetime as dt
import re
from types import SimpleNamespace

import pytest

from serving.wording import unread_words


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def test_the_page_shows_what_was_not_understood_and_names_a_medicine_that_no_table_holds(browser):
    text = text_of(browser("pharmacist:north").get("/patients/N02"))
    assert "Recorded but not understood" in text
    assert "Test results: neutrophil count, value \u201chaemolysed\u201d, 16 Nov 2025." in text
    unknown = "not in Upstream's tables: no interaction or burden is known"
    assert f"Medicine \u201cnewmab\u201d, 26 Nov 2025: {unknown}." in text.replace("&#39;", "'")


def test_a_page_of_somebody_whose_record_was_understood_says_nothing_of_it(browser):
    assert "not understood" not in browser("pharmacist:north").get("/patients/N03").text


def test_the_interface_holds_them_and_the_sign_of_a_bound(client, as_role):
    person = client.get("/v1/patients/N02", headers=as_role("everywhere")).json()
    told = [(u["table"], u["concept"], u["value"], u["on"]) for u in person["flags"]["unread"]]
    assert told == [
        ("results", "anc", "haemolysed", "2025-11-16"),
        ("supplies", "newmab", "newmab", "2025-11-26"),
    ]
    (crp,) = [r for r in person["last_year"]["results"] if r["test"] == "crp"]
    assert (crp["comparator"], crp["value"]) == ("<", 0.5)
    assert {r["comparator"] for r in person["last_year"]["results"] if r["test"] != "crp"} == {""}


def test_the_page_writes_a_bound_with_its_sign(browser):
    assert "&lt;0.5 mg/L" in browser("pharmacist:north").get("/patients/N02").text


@pytest.mark.parametrize(
    ("table", "column", "concept", "value", "line"),
    [
        (
            "results",
            "value",
            "lithium_level",
            "3.0 H",
            "Test results: lithium level, value \u201c3.0 H\u201d, 2 Jan 2026.",
        ),
        (
            "circumstances",
            "value",
            "smoking",
            "see notes",
            "Circumstances: smoking, value \u201csee notes\u201d, 2 Jan 2026.",
        ),
        ("referrals", "closed_on", "", "soon", "Referrals: closed on \u201csoon\u201d, 2 Jan 2026."),
        ("patients", "birth_date", "", "1880", "About the person: date of birth \u201c1880\u201d, 2 Jan 2026."),
        ("stays", "discharged_on", "stay", "", "Hospital stays: stay, discharged on, 2 Jan 2026: never closed."),
        ("circumstances", "value", "pregnancy", "yes", "Circumstances: pregnancy, value \u201cyes\u201d, 2 Jan 2026."),
        (
            "supplies",
            "status",
            "clozapine",
            "reversed",
            "Medicine supplies: clozapine, status \u201creversed\u201d, 2 Jan 2026: never closed.",
        ),
        ("circumstances", "value", "sexual_orientation", "x", None),
        ("circumstances", "value", "religion", "x", None),
        ("patients", "ethnicity", "", "x", None),
        ("patients", "sex", "", "x", None),
    ],
)
def test_each_value_is_one_line_and_no_protected_characteristic_is(table, column, concept, value, line):
    one = SimpleNamespace(
        table=table, column=column, concept=concept, value=value, on=dt.date(2026, 1, 2), reason="never closed"
    )
    assert unread_words([one, one]) == ([line] if line else [])
