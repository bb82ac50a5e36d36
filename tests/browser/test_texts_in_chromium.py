"""Texts in the demo, as a team uses them: an invitation, an answer on the simulated phone, the inbox, and the contact
on the year picture after the nightly run."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from selenium.webdriver.common.by import By
from typer.testing import CliRunner

import upstream
from serving.identities.keys import IdentityKeys, write_new_key
from serving.messages.fake.demo import INVITE
from serving.messages.numbers.loading import store_numbers
from serving.settings import IDENTITY_KEY
from tests.browser.acting import at, click, shows, until
from tests.browser.screenshots import sign_in
from tests.conftest import serving
from tests.serving import world
from tests.serving.messages.desks import NUMBERS

pytest.importorskip("notifications_python_client", reason="the client of GOV.UK Notify is not installed (extra [test])")
PERSON = "N03"


@pytest.fixture
def home(tmp_path):
    """The made-up trust, where everybody of the north team has a number and agreed to texts."""
    made = world.make_home(tmp_path / "home")
    (made / "demo.json").write_text("{}")
    write_new_key(made / IDENTITY_KEY)
    keys = IdentityKeys.read(made / IDENTITY_KEY)
    store_numbers(made, {who: (number, True) for who, number in NUMBERS.items()}, keys)
    return made


def says(words):
    """Condition: the page's main part holds these words."""
    return lambda driver: words in driver.find_element(By.CSS_SELECTOR, "main").text


def barriers(driver, axe):
    driver.execute_script(axe)
    found = driver.execute_async_script("axe.run().then((found) => arguments[0](found.violations))")
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


def test_invite_answer_inbox_and_the_contact_on_the_year(chromium, home, axe):
    with serving(home, "--demo") as site:
        chromium.set_window_size(1280, 1000)
        chromium.delete_all_cookies()
        sign_in(chromium, site, "Pharmacist")
        chromium.get(f"{site}/patients/{PERSON}/texts")
        assert barriers(chromium, axe) == []
        click(chromium, f"input[name=template][value={INVITE.name}]")
        click(chromium, "section[aria-labelledby=send] form button")
        until(chromium, says("The text is on its way"))

        click(chromium, "main a[href^='http://127.0.0.1']")
        until(chromium, shows("nav[aria-label=Phones]"))
        click(chromium, f"a[href$='{NUMBERS[PERSON][1:]}']")
        until(chromium, says(INVITE.text))
        chromium.find_element(By.ID, "message").send_keys("1")
        click(chromium, "section.phone form button")
        until(chromium, shows("section.phone li.own"))  # sent: a page that is looked at again too soon sends nothing
        # The automatic answer comes by itself; the page shows it once it is looked at again.
        until(chromium, lambda driver: driver.refresh() or says("Nobody reads replies at night")(driver))

        chromium.get(f"{site}/teams/north/texts")
        until(chromium, says(f"{PERSON}: Asks to be called"))
        assert barriers(chromium, axe) == []
        click(chromium, "#reply-1 button[value=take]")
        until(chromium, says("Taken by"))
        click(chromium, "#reply-1 button[value=done]")
        until(chromium, says("No reply waits."))

        day = dt.date.today() + dt.timedelta(days=1)
        words = ["score", "--home", str(home), "--as-of", str(day), "--json"]
        done = CliRunner().invoke(
            upstream.app, [*words, "--accept-change", "--by", "Sam", "--why", "old made-up records"]
        )
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["replies_by_text"], done.stdout
        chromium.get(f"{site}/patients/{PERSON}")
        until(chromium, at(f"/patients/{PERSON}", "h1"))
        newest = chromium.find_element(By.XPATH, "//caption[contains(., 'Contacts')]/following-sibling::tbody/tr[1]")
        cells = [cell.get_attribute("textContent") for cell in newest.find_elements(By.XPATH, "./*")]
        today = dt.date.today()
        assert cells == [f"{today.day} {today:%b %Y}", "Other", "Text", "Attended"]
