"""The pages: what every page shows, and what no page shows (docs/architecture.md rules 5, 6, 7 and 10)."""

from __future__ import annotations

import re

import pytest
from markupsafe import escape

from serving.web.charts.bar_chart import Bar, draw_contributions

PATHS = [
    "/",
    "/teams/north",
    "/teams/north?ranking=gaps&view=disengagement-180",
    "/patients/N00",
    "/patients/N01",
    "/patients/N03?view=disengagement-90",
]
OTHER_PATHS = ["/sign-in", "/patients/NOBODY", "/nothing"]
PROTECTED = ("ethnic", "deprivation", "gender", "autism", "disability", "homeless", "interpreter", "religion")
GRADING = ("low risk", "low-risk", "lower risk of", "safe to", "suicid", "because", "non-complian", "noncomplian")


def words(page):
    text = page if isinstance(page, str) else page.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).lower()


@pytest.mark.parametrize("path", PATHS + OTHER_PATHS)
def test_every_page_says_synthetic_and_that_judgement_comes_first(browser, path):
    page = browser("pharmacist:north").get(path)
    assert "<strong>Synthetic.</strong>" in page.text
    assert "does not replace clinical judgement" in words(page)
    assert "test-1" in page.text, "the model version is missing"


@pytest.mark.parametrize("path", PATHS)
def test_every_page_with_people_says_how_old_its_data_is(browser, path):
    assert "list of 5 january 2026" in words(browser("pharmacist:north").get(path))


@pytest.mark.parametrize("path", PATHS)
def test_no_page_calls_a_risk_low_or_names_a_protected_characteristic(browser, path):
    page = browser("pharmacist:north").get(path).text
    text = words(page)
    for phrase in GRADING:
        assert phrase not in text, phrase
    # What a review may arrange (an interpreter, say) is an action that is offered, not a reason about the person.
    about_people = words(re.sub(r'<fieldset id="actions".*?</fieldset>', "", page, flags=re.DOTALL))
    for word in PROTECTED:
        assert word not in about_people, word


def test_the_person_page_shows_overdue_care_above_the_estimate(browser, client, as_role):
    text = browser("pharmacist:north").get("/patients/N00").text
    gaps = client.get("/v1/patients/N00", headers=as_role("everywhere")).json()["gaps"]
    count = next(gap for gap in gaps if gap["code"] == "CLZ_FBC_OVERDUE")
    said = f"Clozapine blood count: <strong>{count['days_overdue']:,.0f} days overdue</strong>"
    assert text.index(said) < text.index('id="risk"')
    assert str(escape(count["standard"])) in text
    for gap in gaps:
        assert str(escape(gap["action"])) in text
    assert "people like this" in text and "What this does and does not see" in text


def test_the_picture_and_the_table_hold_the_same_numbers(browser):
    text = browser("pharmacist:north").get("/patients/N03").text
    text = text[text.index('id="reasons"') :].split("</section>")[0]
    drawn = re.findall(r"font-weight='bold'[^>]*>([^<]+)<", text)
    table = text[text.index("The same numbers") : text.index("Together")]
    assert drawn and all(number in table for number in drawn)


def test_the_worklist_page_draws_the_line_and_names_who_is_below_it(browser):
    text = words(browser("pharmacist:north").get("/teams/north"))
    assert "this week's 3 reviews end here" in text and "4 people below the line" in text
    assert "one more person has a critical safety gap" in text


def test_what_is_not_recorded_is_said(browser):
    text = words(browser("pharmacist:north").get("/patients/N01"))
    assert "nothing is recorded in: contacts, medicine supplies, test results" in text


def test_the_json_and_the_page_come_from_one_query(browser, client, as_role):
    page = browser("pharmacist:north").get("/teams/north").text
    entries = client.get("/v1/teams/north/worklist", headers=as_role("pharmacist")).json()["items"]
    places = [page.rindex(f">{entry['patient_id']}</a>") for entry in entries]
    assert places == sorted(places)


def test_text_from_the_record_is_escaped():
    drawing = draw_contributions([Bar("<b>x</b>", 0.4)], "a 'quoted' <text>")
    assert "<b>" not in drawing and "<text>" not in drawing.split("role=")[1].split("xmlns")[0]


def test_a_drawing_has_a_bar_a_sign_and_a_base_line():
    drawing = draw_contributions([Bar("Gap in supply", 0.4), Bar("Seen often", -0.2), Bar("Nothing", 0.0)], "what")
    assert "+0.40" in drawing and "−0.20" in drawing and ">0.00<" in drawing
    assert drawing.count("<rect x=") == 3 and drawing.count("stroke-width='1.5'/>") >= 1
    assert "url(#lowers)" in drawing, "lowering bars are hatched, so that colour is not needed"


def test_the_page_offers_no_what_if_that_reads_as_advice(browser, world):
    page = browser("pharmacist:north").get("/patients/N00").text
    assert "what-if" not in page and "would move" not in page
    assert re.search(r"In the record</p>\s*<ul class=\"up-evidence\"><li><span class=\"up-date\">\d", page)
