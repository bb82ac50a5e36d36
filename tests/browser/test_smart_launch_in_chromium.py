"""A records system (oidc-provider from npm) opens Upstream in Chromium, with a person in view and its own sign-in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from serving.app import create_app
from serving.security.memberships import join_team
from serving.settings import ServiceSettings
from tests.browser.acting import at, click, until
from tests.conftest import ROOT
from tests.serving import world
from tests.serving.running import running_as

CLIENT, PERSON = "upstream-app", "N03"
INSTALLED = ROOT / ".tools" / "records" / "node_modules"


@pytest.fixture
def epr(tmp_path):
    """Starts a records system for the address of a service, and gives its own."""
    if shutil.which("node") is None or not (INSTALLED / "oidc-provider").exists():
        pytest.skip("make records fetches oidc-provider (needs npm)")
    (tmp_path / "node_modules").symlink_to(INSTALLED)
    shutil.copy(Path(__file__).with_name("epr.mjs"), tmp_path)
    started = []

    def start(public):
        words = ["node", "epr.mjs", CLIENT, f"{public}/launch/back", PERSON]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=quiet, text=True)
        started.append(process)
        return process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_launch_from_the_record_ends_on_the_person_in_view(chromium, epr, tmp_path):
    home, addresses = world.make_home(tmp_path / "home"), []

    def service(public):
        record = epr(public)
        addresses.append(record)
        join_team(home, record, "sam", "north", world.AS_OF, None, "test")
        issuer = {"issuer": record, "audience": CLIENT, "jwks_url": f"{record}/jwks", "roles": {"R8000": "pharmacist"}}
        smart = {"iss": f"{record}/fhir", "label": "The record", "issuer": record, "client_id": CLIENT}
        return create_app(
            ServiceSettings(home=home, environment="production", oidc=[issuer], smart=[smart], public_url=public)
        )

    with running_as(service) as public:
        [record] = addresses
        chromium.set_window_size(1280, 1000)
        chromium.delete_all_cookies()
        chromium.get(f"{public}/launch?iss={record}/fhir&launch=opaque")
        until(chromium, at(record, "input[name=login]"))
        chromium.find_element(By.NAME, "login").send_keys("sam")
        chromium.find_element(By.NAME, "password").send_keys("any")
        click(chromium, "form button[type=submit]")
        until(chromium, lambda driver: "Continue" in driver.page_source or public in driver.current_url)
        if record in chromium.current_url:  # it asks whether Upstream may have what it asked for
            click(chromium, "form button[type=submit]")
        until(chromium, at(f"{public}/patients/{PERSON}", "h1"))
        assert PERSON in chromium.find_element(By.CSS_SELECTOR, "main").text
        chromium.get(f"{public}/patients/S02")
        assert chromium.find_elements(By.CSS_SELECTOR, "h1")[0].text != "S02", "somebody of another team"
