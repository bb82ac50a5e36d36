"""One service over the small made-up trust and one Chromium, for every browser test of a worker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.screenshots import browser, sign_in
from tests.conftest import ROOT, serving

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
    """The address of a service over it."""
    home = browser_home
    with serving(home, UPSTREAM_ENVIRONMENT="demo") as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    if not Path("/usr/bin/chromium").exists() or not shutil.which("chromedriver"):
        pytest.skip("Debian's chromium and chromium-driver are not here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = browser(folder)
        driver.set_page_load_timeout(60)
        yield driver
        driver.quit()


@pytest.fixture
def pharmacist(chromium: webdriver.Chrome, site: str) -> webdriver.Chrome:
    """A pharmacist of the north team, signed in, on their teams."""
    chromium.set_window_size(1280, 1000)
    chromium.delete_all_cookies()
    sign_in(chromium, site, "Pharmacist")
    return chromium


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core itself, to run inside a page."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: run `make axe` (needs npm)")
    return AXE.read_text(encoding="utf-8")
