"""One service over the small made-up trust and one Chromium, for every browser test of a worker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from selenium import webdriver

from serving.app import create_app
from serving.settings import ServiceSettings
from tests.browser.acting import PATIENCE_SECONDS
from tests.browser.screenshots import browser, sign_in
from tests.conftest import ROOT
from tests.serving.running import running

AXE = ROOT / "build" / "axe" / "axe.min.js"


@pytest.fixture(scope="session")
def browser_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that only the browser tests change."""
    from tests.serving import world

    return world.make_home(tmp_path_factory.mktemp("browser") / "home")


@pytest.fixture(scope="session")
def states(browser_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The designed states as HTML, by name."""
    from tests.serving import world
    from tests.serving.conftest import client_of
    from tests.serving.states import state_pages

    return state_pages(browser_home, tmp_path_factory.mktemp("states"), client_of, world)


@pytest.fixture(scope="session")
def site(browser_home: Path, states: dict[str, str]) -> Iterator[str]:
    """The address of a service over it, in this process: it would spend seconds on imports in its own."""
    with running(demo_service(browser_home)) as url:
        yield url


def demo_service(home: Path) -> FastAPI:
    """The service of the demo, for a browser that asks fast."""
    shares = dict.fromkeys(("rate_per_minute", "stranger_rate_per_minute"), 10_000_000)
    return create_app(ServiceSettings(home=home, environment="demo", **shares))


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    if not Path("/usr/bin/chromium").exists() or not shutil.which("chromedriver"):
        pytest.skip("Debian's chromium and chromium-driver are not here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = browser(folder)
        driver.set_page_load_timeout(PATIENCE_SECONDS)
        driver.set_script_timeout(PATIENCE_SECONDS)
        yield driver
        driver.quit()


@pytest.fixture(scope="session")
def sign_in_as(chromium: webdriver.Chrome, site: str) -> Callable[[str], webdriver.Chrome]:
    """Makes the browser one of somebody who signed in with a choice of the demo. The first time this is done with the
    form; after that the session's cookie is put back. The browser then shows whatever it showed before."""
    sessions: dict[str, list[dict[str, object]]] = {}

    def signed_in(choice: str) -> webdriver.Chrome:
        chromium.set_window_size(1280, 1000)
        chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
        if choice not in sessions:
            sign_in(chromium, site, choice)
            sessions[choice] = chromium.execute_cdp_cmd("Network.getCookies", {"urls": [site]})["cookies"]
        chromium.execute_cdp_cmd("Network.setCookies", {"cookies": sessions[choice]})
        return chromium

    return signed_in


@pytest.fixture
def pharmacist(sign_in_as: Callable[[str], webdriver.Chrome]) -> webdriver.Chrome:
    """The browser of a pharmacist of the north team, signed in."""
    return sign_in_as("Pharmacist")


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core itself, to run inside a page."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: run `make axe` (needs npm)")
    return AXE.read_text(encoding="utf-8")
