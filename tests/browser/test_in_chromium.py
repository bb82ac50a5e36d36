"""Every page in a real browser: axe-core finds nothing, nothing is cut off when narrow or zoomed, keys are enough, nothing foreign is asked."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PAGES = {
    "teams": "/",
    "worklist": "/teams/north",
    "worklist, gaps first": "/teams/north?ranking=gaps&view=disengagement-180",
    "worklist, one person a page": "/teams/north?limit=1&offset=1",
    "worklist, past the end": "/teams/north?offset=500",
    "person": "/patients/N00",
    "person with nothing recorded": "/patients/N01",
    "review recorded": "/patients/N00?recorded=1",
    "not permitted or not there": "/patients/S02",
    "no such page": "/nothing",
}
SIGNED_OUT = "/sign-in"
RULES = "{runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}"


def until(driver, condition):
    """Wait for the page that a key or a click leads to: neither waits by itself."""
    WebDriverWait(driver, 60).until(condition)


def violations(driver, axe):
    driver.execute_script(axe)
    found = driver.execute_async_script(f"const done = arguments[0]; axe.run(document, {RULES}).then(done)")
    assert found["passes"], "axe looked at nothing"
    return [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found["violations"]]


@pytest.mark.parametrize("path", [*PAGES.values(), SIGNED_OUT], ids=[*PAGES, "sign in"])
def test_axe_finds_no_violation(pharmacist, site, axe, path):
    pharmacist.get(site + path)
    assert violations(pharmacist, axe) == []


def test_axe_finds_no_violation_on_a_form_that_was_refused(pharmacist, site, axe):
    pharmacist.get(f"{site}/patients/N02")
    pharmacist.find_element(By.CSS_SELECTOR, ".up-review button").click()
    until(pharmacist, lambda d: d.find_elements(By.CSS_SELECTOR, ".up-errors"))
    assert violations(pharmacist, axe) == []


def test_axe_finds_a_page_that_is_wrong(pharmacist, site, axe):
    """The test above it can fail."""
    pharmacist.get(f"{site}/teams/north")
    pharmacist.execute_script("document.querySelector('main').innerHTML += '<img src=\"/static/upstream.svg\">'")
    assert "image-alt" in [name for name, *_ in violations(pharmacist, axe)]


@pytest.mark.parametrize("path", [*PAGES.values(), SIGNED_OUT], ids=[*PAGES, "sign in"])
def test_at_320_pixels_which_is_400_percent_zoom_nothing_runs_past_the_side(pharmacist, site, path):
    """WCAG 1.4.10: 1280 pixels at 400% are 320 pixels of content."""
    pharmacist.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 320, "height": 256, "deviceScaleFactor": 4, "mobile": False}
    )
    try:
        pharmacist.get(site + path)
        width, reach = pharmacist.execute_script(
            "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
        )
    finally:
        pharmacist.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert (width, reach <= width) == (320, True), f"content reaches {reach} px"


@pytest.mark.parametrize("path", PAGES.values(), ids=list(PAGES))
def test_a_page_asks_only_its_own_service(pharmacist, site, path):
    pharmacist.get(site + path)
    asked = pharmacist.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert asked
    assert {urlsplit(address).netloc for address in asked} == {urlsplit(site).netloc}


def test_the_first_key_reaches_the_content(pharmacist, site):
    pharmacist.get(f"{site}/teams/north")
    pharmacist.switch_to.active_element.send_keys(Keys.TAB)
    assert pharmacist.switch_to.active_element.text == "Skip to main content"


def reach(driver, wanted, tabs=90):
    """Press Tab until the element that ``wanted`` accepts has the focus, seen on the screen."""
    for _ in range(tabs):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        now = driver.switch_to.active_element
        if wanted(now):
            outline = driver.execute_script(
                "const s = getComputedStyle(arguments[0]);"
                "return s.outlineStyle !== 'none' || s.boxShadow !== 'none' || s.backgroundColor !== 'rgba(0, 0, 0, 0)'",
                now,
            )
            assert outline, "the focus cannot be seen"
            return now
    raise AssertionError("no number of tabs leads there")


def test_a_morning_with_the_keyboard_alone(pharmacist, site):
    """Teams, the list, the first person, a review recorded, and its trace on the page."""
    reach(pharmacist, lambda e: "/teams/" in (e.get_attribute("href") or "")).send_keys(Keys.ENTER)
    until(pharmacist, lambda d: "worklist" in d.title)
    reach(pharmacist, lambda e: "/patients/" in (e.get_attribute("href") or "")).send_keys(Keys.ENTER)
    until(pharmacist, lambda d: "/patients/" in d.current_url and d.find_elements(By.CSS_SELECTOR, ".up-review"))
    reach(pharmacist, lambda e: e.get_attribute("value") == "monitoring_arranged", 200).send_keys(Keys.SPACE)
    for question in ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"):
        reach(pharmacist, lambda e, name=question: e.get_attribute("name") == name).send_keys(Keys.SPACE)
    reach(pharmacist, lambda e: e.text == "Record the review").send_keys(Keys.ENTER)
    until(pharmacist, lambda d: "recorded=1" in d.current_url and d.find_elements(By.CSS_SELECTOR, ".up-history"))
    history = pharmacist.find_element(By.CSS_SELECTOR, ".up-history").text
    assert "Overdue blood test or physical check arranged" in history
