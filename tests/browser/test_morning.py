"""A pharmacist's morning in a real browser: sign in, open somebody, take the conversation sheet along, review,
correct, undo, hand over, print. On a desktop and a phone, with scripts and without."""

from __future__ import annotations

import base64
import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.browser.acting import at, click, shows, until
from tests.browser.screenshots import sign_in
from tests.browser.test_in_chromium import reach_when_narrow, violations

DESKTOP, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}
SHEETS = ["/patients/N00/conversation", "/patients/N00/conversation?easy=1", "/patients/N00/letter"]


WHO = {"desktop": "N04", "desktop, no script": "N06", "phone": "N01", "phone, no script": "N07"}
"""Somebody else for each, so that no test finds what another one left."""


@pytest.fixture(params=list(WHO))
def morning(request, chromium):
    """The browser as a desktop or a phone, with nobody signed in; in two cases no script is fetched."""
    mobile = "phone" in request.param
    size = PHONE if mobile else DESKTOP
    chromium.delete_all_cookies()
    chromium.execute_cdp_cmd("Network.enable", {})
    if "no script" in request.param:
        chromium.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*.js"]})
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 1, "mobile": mobile})
    yield chromium, WHO[request.param]
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def text_of(driver, css):
    return until(driver, lambda d: d.find_element(By.CSS_SELECTOR, css).text)


def tick(driver, name, value):
    click(driver, f".up-review input[name={name}][value={value}]")


def test_a_whole_morning(morning, site):
    morning, person = morning
    morning.get(f"{site}/this-week")
    assert at("/sign-in", "main form")(morning), "nobody is signed in"
    sign_in(morning, site, "Pharmacist")
    click(morning, ".up-header__nav a[href='/this-week']")
    until(morning, at("/this-week", "h1"))
    assert "Due in the next 7 days" in text_of(morning, "h1")
    click(morning, ".up-header__nav a[href^='/registers']")
    until(morning, at("/registers/clozapine", "table.up-table--register"))
    assert "N00" in text_of(morning, "main table")
    morning.find_element(By.ID, "sought").send_keys(person)
    click(morning, ".up-find button")
    until(morning, lambda d: person in d.find_element(By.TAG_NAME, "main").text)
    if "/patients/" not in morning.current_url:
        click(morning, f"main a[href*='/patients/{person}']")
    until(morning, at(f"/patients/{person}", "#record-review"))
    click(morning, ".up-sheetlinks a[href$='/conversation']")
    until(morning, at("/conversation", "#questions"))
    assert "Medicines in plain words" in text_of(morning, "main")
    click(morning, "nav[aria-label=Back] a")

    until(morning, at(f"/patients/{person}", "#record-review"))
    click(morning, ".up-jump__first")
    until(morning, lambda d: d.current_url.endswith("#record-review"))
    tick(morning, "actions", "no_change_needed")
    tick(morning, "actions", "dose_changed")
    for question in ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"):
        tick(morning, question, "yes")
    click(morning, ".up-review[action$='/reviews'] button")
    until(morning, at("refused=1", ".up-errors"))
    assert "cannot stand together" in text_of(morning, ".up-errors")
    assert morning.find_element(By.CSS_SELECTOR, "input[value=dose_changed]").is_selected(), "every answer is kept"
    morning.refresh()
    assert "cannot stand together" in text_of(morning, ".up-errors"), "a reload sends nothing again"

    tick(morning, "actions", "no_change_needed")
    click(morning, ".up-review[action$='/reviews'] button")
    until(morning, at("recorded=1", ".up-history"))
    assert "Dose changed" in text_of(morning, ".up-history")

    click(morning, ".up-history__do a")
    until(morning, at("/edit", "input[name=replaces]"))
    tick(morning, "actions", "gp_informed")
    click(morning, ".up-review button")
    until(morning, at("recorded=corrected", ".up-history"))
    assert "GP told in writing" in text_of(morning, ".up-history")

    click(morning, ".up-history__do form button")
    until(morning, at("recorded=undone", ".up-done"))
    assert "The review is undone." in text_of(morning, ".up-done")

    morning.execute_script("window.scrollTo(0, 0)")
    click(morning, ".up-work summary")
    colleague = Select(morning.find_element(By.ID, "given_to"))
    colleague.select_by_visible_text("Pharmacist, North team")
    click(morning, ".up-work input[name=this_week]")
    click(morning, ".up-work input[value=bloods_to_chase]")
    click(morning, ".up-work form button")
    until(morning, at("work_set=1", ".up-work__now"))
    said = text_of(morning, ".up-work__now")
    assert "Pharmacist, North team" in said and "To do this week" in said and "Blood test to chase" in said
    morning.get(f"{site}/teams/north?work=this_week")
    listed = morning.find_elements(By.CSS_SELECTOR, "tr.up-row .up-row__person a")
    assert person in [row.get_attribute("href").split("/")[-1][:3] for row in listed]
    paper = morning.execute_cdp_cmd("Page.printToPDF", {"landscape": True, "preferCSSPageSize": True})["data"]
    assert len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(paper))) == 1, "the meeting's paper is one page"
    width, reach = morning.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert reach <= width


@pytest.mark.parametrize("path", SHEETS)
def test_a_sheet_is_short_on_paper_and_has_no_control_on_it(pharmacist, site, path):
    pharmacist.get(site + path)
    printed = pharmacist.execute_cdp_cmd("Page.printToPDF", {"printBackground": False, "preferCSSPageSize": True})
    pages = len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed["data"])))
    assert pages <= (4 if "easy" in path else 1 if "conversation" in path else 2)
    pharmacist.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        seen = pharmacist.execute_script(
            "return [...document.querySelectorAll('form, .up-noprint, nav a')].filter(e => e.offsetHeight > 0).length"
        )
    finally:
        pharmacist.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert seen == 0


def test_axe_finds_no_violation_on_a_correction_and_with_every_part_open(pharmacist, site, axe):
    pharmacist.get(f"{site}/patients/N05")
    tick(pharmacist, "actions", "gp_informed")
    for question in ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"):
        tick(pharmacist, question, "no")
    click(pharmacist, ".up-review[action$='/reviews'] button")
    until(pharmacist, at("recorded=1", ".up-history__do"))
    pharmacist.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert violations(pharmacist, axe) == []
    assert reach_when_narrow(pharmacist) == 320
    click(pharmacist, ".up-history__do a")
    until(pharmacist, at("/edit", "input[name=replaces]"))
    assert violations(pharmacist, axe) == []


def test_the_link_to_the_review_form_stays_on_screen_while_scrolling(pharmacist, site):
    pharmacist.get(f"{site}/patients/N00")
    pharmacist.execute_script("document.querySelector('#reasons').scrollIntoView()")
    until(pharmacist, shows(".up-jump__first"))
    top = pharmacist.execute_script("return document.querySelector('.up-jump__first').getBoundingClientRect().top")
    assert 0 <= top < 120, "the link to the form is on the screen"
