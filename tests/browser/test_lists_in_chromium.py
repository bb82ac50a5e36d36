"""A list of fifty people in a real browser: the first of them within the first screen, all of them within 4,000 pixels
and eight printed pages."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser.acting import at, click, until
from tests.browser.conftest import demo_service
from tests.browser.screenshots import sign_in
from tests.serving.running import running

TALLEST_PX, MOST_PAGES, PEOPLE = 4_000, 8, 50
TEAM, OTHER_TEAM = "T01", "T02"
SCREENS = {"desktop": (1280, 720, False), "phone": (390, 844, True)}


@pytest.fixture(scope="session")
def crowded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated teams, one of more than fifty people and one of a dozen, with invented names."""
    from features import Records
    from features.records import date_of
    from models.publishing import publish
    from serving.identities.invented import invented
    from serving.identities.keys import IdentityKeys, write_new_key
    from serving.identities.loading import store_identities
    from serving.nightly.run import score_store
    from serving.settings import IDENTITY_KEY
    from tests.serving import world
    from training.simulator import simulate

    home = tmp_path_factory.mktemp("crowded") / "home"
    drawn = simulate(patients=200, years=2, seed=7, teams=1).records
    frames = {name: drawn[name] for name in drawn.tables}
    other = frames["referrals"]["patient_id"].str.endswith("7")
    frames["referrals"] = frames["referrals"].assign(team_id=other.map({True: OTHER_TEAM, False: TEAM}))
    frames["teams"] = pd.concat([frames["teams"], frames["teams"].assign(team_id=OTHER_TEAM, name="Second team")])
    records = Records.from_frames(frames, about={"synthetic": True, "source": "simulated, one team"})
    records.save(home / "store")
    publish(home / "bundles", world.write_tiny_bundle(home / "made", records))
    score_store(home / "store", home / "bundles", home, threads=1)
    write_new_key(home / IDENTITY_KEY)
    born = [date_of(day) for day in records.columns("patients")["birth_date"].tolist()]
    people = invented(zip(records.patient_ids.tolist(), born, strict=True))
    store_identities(home, people, IdentityKeys.read(home / IDENTITY_KEY))
    return home


@pytest.fixture(scope="module")
def crowded(crowded_home: Path, chromium: webdriver.Chrome):
    with running(demo_service(crowded_home)) as url:
        chromium.set_window_size(1280, 1000)
        chromium.delete_all_cookies()
        sign_in(chromium, url, "Pharmacist")
        yield url
        chromium.delete_all_cookies()


def on_screen(driver: webdriver.Chrome, screen: str, address: str) -> None:
    width, height, mobile = SCREENS[screen]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(address)


@pytest.fixture(autouse=True)
def own_size(chromium):
    yield
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("screen", SCREENS)
def test_the_first_person_is_within_the_first_screen(crowded, chromium, screen):
    on_screen(chromium, screen, f"{crowded}/teams/{TEAM}")
    name = "return document.querySelector('.up-row__person a').getBoundingClientRect().bottom"
    assert chromium.execute_script(name) <= SCREENS[screen][1]
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= SCREENS[screen][0]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", [f"teams/{TEAM}", "teams"], ids=["a team", "all my teams"])
def test_fifty_people_take_at_most_four_thousand_pixels(crowded, chromium, page, screen):
    """On a phone: name, risk, first medicine, most pressing gap and next date of each; the rest of a row is folded."""
    on_screen(chromium, screen, f"{crowded}/{page}?limit={PEOPLE}")
    assert chromium.execute_script("return document.querySelectorAll('.up-row').length") == PEOPLE
    tall = chromium.execute_script("return document.documentElement.scrollHeight")
    assert tall <= TALLEST_PX, tall


HIDDEN = "return [...document.querySelectorAll('.up-fold')].filter(e => e.offsetHeight === 0).length"


@pytest.mark.parametrize("page", [f"teams/{TEAM}", "registers/interactions"])
def test_on_a_phone_one_press_shows_everything_in_each_row_and_a_desktop_always_does(crowded, chromium, page):
    on_screen(chromium, "desktop", f"{crowded}/{page}")
    assert chromium.execute_script(HIDDEN) == 0
    on_screen(chromium, "phone", f"{crowded}/{page}")
    assert chromium.execute_script(HIDDEN) > 10
    click(chromium, ".up-unfold summary")
    assert chromium.execute_script(HIDDEN) == 0


@pytest.mark.parametrize(
    ("page", "rows", "most_a_row"),
    [("registers/interactions", ".up-row", 150), ("this-week?days=14", ".up-week tbody tr", 60)],
)
def test_on_a_phone_a_row_of_a_register_and_of_the_week_is_low(crowded, chromium, page, rows, most_a_row):
    """They were 260 and 140 pixels. The first of them is within the first screen, and nothing reaches past it."""
    on_screen(chromium, "phone", f"{crowded}/{page}")
    heights = chromium.execute_script(
        "return [...document.querySelectorAll(arguments[0])].filter(e => !e.closest('details:not([open])'))"
        ".map(e => e.offsetHeight)",
        rows,
    )
    assert len(heights) > 5 and sum(heights) / len(heights) <= most_a_row, (len(heights), sum(heights) / len(heights))
    top = (
        "return [...document.querySelectorAll(arguments[0])].find(e => !e.closest('details:not([open])'))"
        ".getBoundingClientRect().top"
    )
    assert chromium.execute_script(top, rows) < SCREENS["phone"][1]
    assert chromium.execute_script("return document.documentElement.scrollWidth") == SCREENS["phone"][0]


def test_a_morning_on_a_phone_from_the_sign_in_to_somebody_found_by_name_and_their_sheet(crowded, chromium):
    """Nobody is signed in when it begins; the sheet of the person found prints on two pages at most.
    ``test_morning.py`` has the same way on a desktop."""
    chromium.delete_all_cookies()
    on_screen(chromium, "phone", f"{crowded}/this-week")
    assert at("/sign-in", "main form")(chromium)
    sign_in(chromium, crowded, "Pharmacist")
    click(chromium, ".up-header__nav a[href='/this-week']")
    until(chromium, at("/this-week", ".up-week th a"))
    person = chromium.find_element(By.CSS_SELECTOR, ".up-week th a[href^='/patients/']")
    name = chromium.execute_script("return arguments[0].textContent", person)
    here = person.get_attribute("href").rpartition("/")[2]
    assert name != here, "this home holds names"
    chromium.find_element(By.ID, "sought").send_keys(name)
    click(chromium, ".up-find button")
    until(chromium, lambda d: name in d.find_element(By.TAG_NAME, "main").text)
    if "/patients/" not in chromium.current_url:
        click(chromium, f"main a[href*='/patients/{here}']")
    until(chromium, at(f"/patients/{here}", "#record-review"))
    click(chromium, ".up-sheetlinks a[href$='/conversation']")
    until(chromium, at("/conversation", "#questions"))
    assert name in chromium.find_element(By.TAG_NAME, "h1").text
    paper = chromium.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    assert len(re.findall(rb"/Type\s*/Page[^s]", base64.b64decode(paper))) <= 2


@pytest.mark.parametrize("page", [f"teams/{TEAM}", "teams"], ids=["a team", "all my teams"])
def test_fifty_people_take_at_most_eight_printed_pages(crowded, chromium, page):
    chromium.get(f"{crowded}/{page}?limit={PEOPLE}")
    assert chromium.execute_script("return document.querySelectorAll('.up-row').length") == PEOPLE
    sent = chromium.execute_cdp_cmd("Page.printToPDF", {"landscape": True, "preferCSSPageSize": True})["data"]
    pages = len(re.findall(rb"/Type\s*/Page[^s]", base64.b64decode(sent)))
    assert 2 <= pages <= MOST_PAGES, pages


def test_a_printed_register_repeats_its_headings_and_keeps_a_row_on_one_page(crowded, chromium):
    """The register with the most rows: at least four people on a page, and no control on the paper."""
    chromium.get(f"{crowded}/registers/interactions")
    rows = chromium.execute_script("return document.querySelectorAll('.up-row').length")
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        heads, inside, controls = chromium.execute_script(
            "const all = css => [...document.querySelectorAll(css)];"
            "const of = (css, name) => [...new Set(all(css).map(e => getComputedStyle(e)[name]))];"
            "return [of('thead', 'display'), of('.up-row', 'breakInside'),"
            " [...document.querySelectorAll('form, select, .up-tabs')].filter(e => e.offsetHeight > 0).length]"
        )
    finally:
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert (heads, inside, controls) == (["table-header-group"], ["avoid"], 0)
    sent = chromium.execute_cdp_cmd("Page.printToPDF", {"landscape": True, "preferCSSPageSize": True})["data"]
    pages = len(re.findall(rb"/Type\s*/Page[^s]", base64.b64decode(sent)))
    assert rows > 10 and pages <= 2 + rows / 4, (rows, pages)


def test_a_column_header_sorts_and_a_second_press_restores_the_order(crowded, chromium):
    chromium.get(f"{crowded}/teams/{TEAM}")
    first = chromium.execute_script("return document.querySelector('.up-row__person a').innerText")
    click(chromium, "thead a[href*='sort=name']")
    assert at("sort=name", "th[aria-sort]")(chromium)
    click(chromium, "th[aria-sort] a")
    assert chromium.execute_script("return document.querySelector('.up-row__person a').innerText") == first
