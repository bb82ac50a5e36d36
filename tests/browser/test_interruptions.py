"""What interrupts a pharmacist's work in a real browser: a second window, the Back button, a session that ends while
they type, and names that are longer than a line."""

from __future__ import annotations

import datetime as dt
import shutil

import pytest
from selenium.webdriver.common.by import By
from sqlalchemy import update

from serving.identities.keys import IdentityKeys, write_new_key
from serving.identities.loading import store_identities
from serving.identities.schemas import Identity
from serving.security.tokens import digest
from serving.settings import IDENTITY_KEY, database_url_of
from serving.storage.database import Database
from serving.storage.tables import tokens
from tests.browser.acting import at, click, shows, until
from tests.browser.screenshots import sign_in
from tests.browser.test_in_chromium import put, reach_when_narrow
from tests.serving.conftest import client_of
from tests.serving.conftest import sign_in as sign_in_client

PERSON = "/patients/N05"
REVIEW = ".up-review[action$='/reviews']"
LONGEST_NAME = "Wolfeschlegelsteinhausenbergerdorff-" * 5 + "Maximiliana"
WITH_NAMES = ["/teams", "/teams/north", "/teams/north/overview", "/patients/N00", "/patients/N00/conversation"]
WITH_NAMES += ["/patients/N00/conversation?easy=1", "/patients/N00/letter"]
WITH_NAMES += ["/registers/clozapine"]


@pytest.fixture
def desk(chromium, site):
    """The browser of a pharmacist with a session of their own, which a test may end; windows that it opens are
    closed."""
    chromium.set_window_size(1280, 1000)
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    sign_in(chromium, site, "Pharmacist")
    first = chromium.current_window_handle
    yield chromium
    for window in chromium.window_handles:
        if window != first:
            chromium.switch_to.window(window)
            chromium.close()
    chromium.switch_to.window(first)


def fill_in(driver, action):
    click(driver, f"{REVIEW} input[value={action}]")
    for question in ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"):
        click(driver, f"{REVIEW} input[name={question}][value=yes]")


def is_ticked(driver, action):
    return driver.find_element(By.CSS_SELECTOR, f"{REVIEW} input[value={action}]").is_selected()


def text_of(driver, css):
    return until(driver, lambda d: d.find_element(By.CSS_SELECTOR, css).text)


def let_the_session_end(driver, home):
    """As if nobody had used it for half an hour."""
    secret = driver.get_cookie("upstream_session")["value"]
    then = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=31)
    database = Database(database_url_of(home))
    with database.write() as connection:
        own = update(tokens).where(tokens.c.sha256 == digest(secret))
        connection.execute(own.values(created_at=then, last_used_at=then))
    database.close()


def test_a_save_in_one_window_is_not_lost_by_a_save_in_another(desk, site):
    desk.get(site + PERSON)
    first = desk.current_window_handle
    desk.switch_to.new_window("tab")
    desk.get(site + PERSON)
    for window, note in ((desk.current_window_handle, "gp_to_call"), (first, "letter_to_send")):
        desk.switch_to.window(window)
        click(desk, ".up-work summary")
        click(desk, f".up-work input[value={note}]")
        click(desk, ".up-work form button")
        until(desk, at("work_", ".up-work__now"))
    assert "It was changed after you opened this page" in text_of(desk, ".up-errors")
    assert "GP to call" in text_of(desk, ".up-work__now"), "the first save stands and is shown"
    assert desk.find_element(By.CSS_SELECTOR, ".up-work input[value=letter_to_send]").is_selected()
    click(desk, ".up-work form button")
    until(desk, at("work_set=1", ".up-work__now"))
    assert "Letter to send" in text_of(desk, ".up-work__now"), "who has seen the other may replace it"


def test_back_after_a_recorded_review_shows_it_and_sends_nothing_again(desk, site):
    desk.get(site + PERSON)
    before = len(desk.find_elements(By.CSS_SELECTOR, ".up-history__do"))
    fill_in(desk, "gp_informed")
    click(desk, f"{REVIEW} button")
    until(desk, at("recorded=1", ".up-history__do"))
    desk.back()
    until(desk, lambda d: "recorded" not in d.current_url and shows(f"{REVIEW} button")(d))
    assert len(desk.find_elements(By.CSS_SELECTOR, ".up-history__do")) == before + 1, "not a page of before"
    assert not is_ticked(desk, "gp_informed"), "the form is empty"
    desk.refresh()
    until(desk, shows(f"{REVIEW} button"))
    assert len(desk.find_elements(By.CSS_SELECTOR, ".up-history__do")) == before + 1


def test_back_after_signing_out_shows_nobody(desk, site):
    desk.get(site + PERSON)
    click(desk, ".up-header form[action='/sign-out'] button")
    until(desk, at("/sign-in", "main form"))
    desk.back()
    until(desk, at("/sign-in", "main form"))
    assert "N05" not in text_of(desk, "body")


@pytest.mark.parametrize("where", ["in the same window", "in another window meanwhile"])
def test_a_session_that_ends_while_somebody_types_loses_nothing(desk, site, browser_home, where):
    """They sign in again, and find the form as they left it: also where they signed in elsewhere before sending it."""
    desk.get(site + PERSON)
    fill_in(desk, "ecg_arranged")
    let_the_session_end(desk, browser_home)
    if where == "in the same window":
        click(desk, f"{REVIEW} button")
        until(desk, at("/sign-in?kept=1", "main form"))
        assert "is kept for you" in text_of(desk, "main")
        sign_in(desk, site, "Pharmacist")
    else:
        first = desk.current_window_handle
        desk.switch_to.new_window("tab")
        sign_in(desk, site, "Pharmacist")
        desk.switch_to.window(first)
        click(desk, f"{REVIEW} button")
    until(desk, at(PERSON, ".up-draft"))
    assert is_ticked(desk, "ecg_arranged")
    assert desk.find_element(By.CSS_SELECTOR, f"{REVIEW} input[name=medicines_reconciled][value=yes]").is_selected()
    click(desk, f"{REVIEW} button")
    until(desk, at("recorded=1", ".up-history"))
    assert "ECG arranged" in text_of(desk, ".up-history")


@pytest.fixture(scope="module")
def pages_of_long_names(browser_home, tmp_path_factory):
    """Pages of people whose names are as long as one may be, by address."""
    home = shutil.copytree(browser_home, tmp_path_factory.mktemp("long") / "home")
    write_new_key(home / IDENTITY_KEY)
    people = {f"N0{number}": Identity(LONGEST_NAME, dt.date(1960, 12, 30), "9990000018") for number in range(8)}
    store_identities(home, people, IdentityKeys.read(home / IDENTITY_KEY))
    with client_of(home) as client:
        sign_in_client(client, "pharmacist")
        return {address: client.get(address).text for address in WITH_NAMES}


def test_a_long_name_is_shown_in_full_without_sideways_scrolling(pharmacist, site, pages_of_long_names):
    for address, page in pages_of_long_names.items():
        assert LONGEST_NAME in page, address
        put(pharmacist, site, page)
        width, reach = pharmacist.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
        assert reach <= width, address
        assert reach_when_narrow(pharmacist) == 320, address
