"""A list of fifty people in a real browser: the first of them within the first screen, all of them within 4,000 pixels
and eight printed pages."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.acting import at, click
from tests.browser.screenshots import sign_in
from tests.conftest import serving

TALLEST_PX, TALLEST_ON_A_PHONE_PX, MOST_PAGES, PEOPLE = 4_000, 6_500, 8, 50
TEAM = "T01"
SCREENS = {"desktop": (1280, 720, False), "phone": (390, 844, True)}


@pytest.fixture(scope="session")
def crowded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated team of more than fifty people, with invented names."""
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
    frames["referrals"] = frames["referrals"].assign(team_id=TEAM)
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
    with serving(crowded_home, UPSTREAM_ENVIRONMENT="demo") as url:
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


def test_fifty_people_take_at_most_four_thousand_pixels(crowded, chromium):
    on_screen(chromium, "desktop", f"{crowded}/teams/{TEAM}?limit={PEOPLE}")
    rows = chromium.execute_script("return document.querySelectorAll('.up-row').length")
    tall = chromium.execute_script("return document.documentElement.scrollHeight")
    assert rows == PEOPLE and tall <= TALLEST_PX, tall


def test_on_a_phone_fifty_people_take_at_most_six_and_a_half_thousand_pixels(crowded, chromium):
    """Name, birth date, medicines, gap, next date and risk of each: 115 pixels a person, where it was 260."""
    on_screen(chromium, "phone", f"{crowded}/teams/{TEAM}?limit={PEOPLE}")
    assert chromium.execute_script("return document.querySelectorAll('.up-row').length") == PEOPLE
    tall = chromium.execute_script("return document.documentElement.scrollHeight")
    assert tall <= TALLEST_ON_A_PHONE_PX, tall


def test_fifty_people_take_at_most_eight_printed_pages(crowded, chromium):
    chromium.get(f"{crowded}/teams/{TEAM}?limit={PEOPLE}")
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


def test_a_column_sorts_and_a_press_more_gives_the_order_back(crowded, chromium):
    chromium.get(f"{crowded}/teams/{TEAM}")
    first = chromium.execute_script("return document.querySelector('.up-row__person a').innerText")
    click(chromium, "thead a[href*='sort=name']")
    assert at("sort=name", "th[aria-sort]")(chromium)
    click(chromium, "th[aria-sort] a")
    assert chromium.execute_script("return document.querySelector('.up-row__person a').innerText") == first
