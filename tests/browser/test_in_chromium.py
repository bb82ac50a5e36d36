"""Every page in a real browser: axe-core finds nothing, nothing is cut off when narrow or zoomed, keys are enough,
nothing foreign is asked."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from serving.web import nhsuk
from tests.browser.acting import at, click, focused, has_focus, press, shows, until
from tests.serving.states import PAGES

SIGNED_OUT = "/sign-in"
NARROW = {"width": 320, "height": 256, "deviceScaleFactor": 4, "mobile": False}
RULES = (
    "{runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice'],"
    " resultTypes: ['violations']}"  # of what passes, one place is described rather than all
)
READERS = {"/audit": "Auditor", "/monitoring": "Data scientist"}
"""Pages that a pharmacist may not see, and who may."""
VISITS = PAGES | {
    "sign in": SIGNED_OUT,
    "audit": "/audit",
    "emergency access": "/emergency-access",
    "monitoring": "/monitoring",
    "API": "/docs",
    "incidents": "/incidents",
    "blind rating": "/rating",
}


def violations(driver, axe):
    driver.execute_script(axe)
    found = driver.execute_async_script(f"const done = arguments[0]; axe.run(document, {RULES}).then(done)")
    assert found["passes"], "axe looked at nothing"
    return [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found["violations"]]


def reach_when_narrow(driver):
    """How far content reaches, in pixels, where 320 are there: 1280 pixels at 400%, WCAG 1.4.10."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
    try:
        until(driver, lambda d: d.execute_script("return document.documentElement.clientWidth") == 320)
        return driver.execute_script("return document.documentElement.scrollWidth")
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("path", VISITS.values(), ids=list(VISITS))
def test_a_page_has_no_script_error_no_foreign_request_no_axe_violation_and_fits_at_400_per_cent(
    sign_in_as, site, axe, path
):
    """In one visit: whatever a script throws, the content security policy refuses or the page does not find is in the
    browser's log; whom the page asked; barriers by axe; and the width at 400% zoom."""
    driver = sign_in_as(READERS.get(path, "Pharmacist"))
    driver.get_log("browser")
    driver.get(site + path)
    if has_script() and path != "/docs":
        until(driver, supported)
    own = (site + path).split("?")[0]  # a page that is answered with a 404 or 422 is a line of the log too
    wrong = [line["message"] for line in driver.get_log("browser") if not line["message"].startswith(own)]
    asked = driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    found = {
        "in the log": wrong,
        "services asked": {urlsplit(address).netloc for address in asked},
        "barriers": violations(driver, axe),
        "content reaches": reach_when_narrow(driver),
    }
    assert found == {
        "in the log": [],
        "services asked": {urlsplit(site).netloc},
        "barriers": [],
        "content reaches": 320,
    }


def put(driver, site, page):
    """Show a page that was made elsewhere, under the site's own address, so that its style sheets are found."""
    driver.get(f"{site}/livez")
    driver.execute_script("document.open(); document.write(arguments[0]); document.close()", page)
    until(driver, lambda d: d.execute_script("return document.readyState") == "complete")


def test_axe_finds_no_violation_in_a_designed_state_and_none_runs_past_the_side(pharmacist, site, axe, states):
    """Each of the states once: at full width by axe, and at 320 pixels."""
    for name, page in states.items():
        put(pharmacist, site, page)
        assert violations(pharmacist, axe) == [], name
        assert reach_when_narrow(pharmacist) == 320, name


@pytest.mark.parametrize("path", ["/teams/north?limit=500", "/patients/N00", "/teams/north/overview"])
def test_a_printed_page_keeps_its_content_and_leaves_out_forms(pharmacist, site, axe, path):
    """The print style sheet, as the browser applies it: no controls, the data's date and the capacity line there, room
    to write on the list."""
    pharmacist.get(site + path)
    pharmacist.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        shown = pharmacist.find_element(By.TAG_NAME, "body").text
        hidden = pharmacist.execute_script(
            "return [...document.querySelectorAll('form, .up-tabs')].filter(e => e.offsetHeight > 0).length"
        )
        agreed = pharmacist.execute_script(
            "return [...document.querySelectorAll('.up-agreed')].filter(e => e.offsetWidth > 40).length"
        )
        found = violations(pharmacist, axe)
        assert [one for one in found if one[0] != "target-size"] == [], "nobody touches paper"
        paper = pharmacist.execute_cdp_cmd("Page.printToPDF", {"landscape": True})["data"]
    finally:
        pharmacist.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert hidden == 0 and "List of" in shown and "Synthetic." in shown
    assert len(paper) > 10_000
    if "limit" in path:
        assert "This week's 3 reviews end here" in shown and agreed >= 9, "a column to write in for each of the eight"


@pytest.mark.parametrize("missing", ["*.css", "*.js"], ids=["style sheets", "scripts"])
def test_a_list_and_a_person_can_be_used_without_style_sheet_or_script(pharmacist, site, missing):
    """Cut the list to a gap, open the first person, and find gaps, risk, the year as tables, the review form and the
    way back to the list as it was cut: words and links alone."""
    pharmacist.execute_cdp_cmd("Network.enable", {})
    pharmacist.execute_cdp_cmd("Network.setBlockedURLs", {"urls": [missing]})
    try:
        pharmacist.get(f"{site}/teams/north")
        unstyled = pharmacist.execute_script(
            "return getComputedStyle(document.querySelector('.up-header')).backgroundColor == 'rgba(0, 0, 0, 0)'"
        )
        assert unstyled == (missing == "*.css")
        assert missing == "*.css" or not supported(pharmacist)
        click(pharmacist, "details.up-filters summary")
        Select(pharmacist.find_element(By.NAME, "gap")).select_by_value("CLZ_FBC_OVERDUE")
        click(pharmacist, "main form button")
        until(pharmacist, at("gap=CLZ_FBC_OVERDUE", ".up-narrowed"))
        rows = pharmacist.find_elements(By.CSS_SELECTOR, "tr.up-row")
        assert [row.find_element(By.TAG_NAME, "a").text for row in rows] == ["N00"]
        click(pharmacist, "tr.up-row a")
        until(pharmacist, at("/patients/N00", ".up-review"))
        text = pharmacist.find_element(By.TAG_NAME, "main").text
        assert "Overdue or missing care" in text and "in 100 people like this" in text and "Record a review" in text
        click(pharmacist, "section[aria-labelledby=year] details summary")
        assert (
            "Medicines: by supplies in hand"
            in pharmacist.find_element(By.CSS_SELECTOR, "section[aria-labelledby=year]").text
        )
        click(pharmacist, "nav[aria-label=Back] a")
        until(pharmacist, at("/teams/north", ".up-narrowed"))
        assert len(pharmacist.find_elements(By.CSS_SELECTOR, "tr.up-row")) == 1, "back on the list as it was cut"
    finally:
        pharmacist.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def supported(driver):
    """Our module has run, and with it the design system's."""
    return driver.execute_script("return document.body.classList.contains('nhsuk-frontend-supported')")


def has_script():
    return (nhsuk.FOLDER / nhsuk.SCRIPT).is_file()


@pytest.fixture
def scripted(pharmacist):
    """The same browser, where the design system's script is installed."""
    if not has_script():
        pytest.skip("the NHS script is not here: run `make nhsuk` (needs npm)")
    return pharmacist


def test_the_browser_log_holds_script_errors_and_refusals_of_the_content_policy(scripted, site):
    """The log that each visit reads is not just empty."""
    scripted.get(f"{site}/help")
    until(scripted, supported)
    scripted.get_log("browser")
    scripted.execute_script("console.error('wrong'); document.body.innerHTML += '<p onclick=\"1\">x</p>'")
    said = " ".join(line["message"] for line in scripted.get_log("browser"))
    assert "wrong" in said and "Content Security Policy" in said


def test_the_script_moves_the_focus_to_errors_and_results(scripted, site):
    """After the skip link in the content, after a refused form on what is wrong with it, and from there in the
    question."""
    scripted.get(f"{site}/patients/N02")
    until(scripted, supported)
    press(scripted, Keys.TAB, Keys.ENTER)
    until(scripted, has_focus("#maincontent"))
    click(scripted, ".up-review button")
    until(scripted, has_focus(".up-errors"))
    assert scripted.title.startswith("Error: ")
    press(scripted, Keys.TAB, Keys.ENTER)
    until(scripted, has_focus("#actions"))


def test_axe_finds_no_violation_on_a_form_that_was_refused(pharmacist, site, axe):
    pharmacist.get(f"{site}/patients/N02")
    click(pharmacist, ".up-review button")
    until(pharmacist, shows(".up-errors"))
    assert violations(pharmacist, axe) == []


def test_axe_finds_a_page_that_is_wrong(pharmacist, site, axe):
    """The test above it can fail."""
    pharmacist.get(f"{site}/teams/north")
    pharmacist.execute_script("document.querySelector('main').innerHTML += '<img src=\"/static/upstream.svg\">'")
    assert "image-alt" in [name for name, *_ in violations(pharmacist, axe)]


def test_the_first_tab_focuses_the_link_to_the_main_content(pharmacist, site):
    pharmacist.get(f"{site}/teams/north")
    press(pharmacist, Keys.TAB)
    assert focused(pharmacist)["text"] == "Skip to main content"


def reach(driver, wanted, tabs=90):
    """Press Tab until what ``wanted`` accepts has the focus, seen on the screen."""
    for _ in range(tabs):
        press(driver, Keys.TAB)
        now = focused(driver)
        if wanted(now):
            assert now["visible"], "the focus cannot be seen"
            return
    raise AssertionError("no number of tabs leads there")


def test_a_morning_with_the_keyboard_alone(pharmacist, site):
    """Teams, the list, the first person, a review recorded, and its trace on the page."""
    pharmacist.get(site)
    until(pharmacist, shows("main a[href^='/teams/']"))
    reach(pharmacist, lambda now: "/teams/" in now["href"])
    press(pharmacist, Keys.ENTER)
    until(pharmacist, lambda d: "worklist" in d.title and shows("tr.up-row")(d))
    reach(pharmacist, lambda now: "/patients/" in now["href"])
    press(pharmacist, Keys.ENTER)
    until(pharmacist, at("/patients/", ".up-review"))
    reach(pharmacist, lambda now: now["value"] == "monitoring_arranged", 200)
    press(pharmacist, Keys.SPACE)
    for question in ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"):
        reach(pharmacist, lambda now, name=question: now["name"] == name)
        press(pharmacist, Keys.SPACE)
    reach(pharmacist, lambda now: now["text"] == "Record the review")
    press(pharmacist, Keys.ENTER)
    until(pharmacist, at("recorded=1", ".up-history"))
    history = pharmacist.find_element(By.CSS_SELECTOR, ".up-history").text
    assert "Overdue blood test or physical check arranged" in history
