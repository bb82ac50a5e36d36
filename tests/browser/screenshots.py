"""Takes the README's pictures from a running demo: ``make screenshots`` (needs Debian's chromium and chromium-driver).

Every picture shows synthetic people, and says so on the page.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from serving.access import SESSION_COOKIE
from tests.browser.acting import at, click, shows, until
from tests.browser.faulty_home import faulty_home
from tests.conftest import ROOT, serving, upstream

PICTURES = ROOT / "docs" / "pictures"
PAPER_PX = 1032
"""Width of A4 landscape between its margins."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=SpareRendererForSitePerProcess",  # a process for a site that nobody opens
    "--js-flags=--no-opt",  # pages live too briefly for the second compiler
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)


def browser(folder: str, width: int = 1280, height: int = 1000) -> webdriver.Chrome:
    """Debian's Chromium, with a profile of its own."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def sign_in(driver: webdriver.Chrome, url: str, starts_with: str) -> None:
    """Choose the first way in of the demo whose label starts with some words."""
    driver.get(f"{url}/sign-in")
    choice = Select(driver.find_element(By.NAME, "choice"))
    label = next(option.text for option in choice.options if option.text.startswith(starts_with))
    choice.select_by_visible_text(label)
    click(driver, "main form button")
    until(driver, lambda d: "/sign-in" not in d.current_url and shows("main")(d))


def take(driver: webdriver.Chrome, name: str, height: int = 1000, width: int = 1280, top: str = "") -> None:
    """One picture of the window, from the first element that ``top`` selects down; 64 colours keep it small."""
    driver.set_window_size(width, height)
    driver.execute_script(
        "const e = document.querySelector(arguments[0] || 'h1'); arguments[0] ? e.scrollIntoView() : scrollTo(0, 0)",
        top,
    )
    path = PICTURES / f"{name}.png"
    driver.save_screenshot(str(path))
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def pharmacist(driver: webdriver.Chrome, url: str) -> None:
    driver.get(f"{url}/sign-in")
    take(driver, "sign-in", 700)
    sign_in(driver, url, "Pharmacist")
    take(driver, "teams", 900)
    click(driver, "main a[href^='/teams/']")
    until(driver, at("/teams/", "tr.up-row"))
    team = driver.current_url
    take(driver, "worklist", 1750)
    take(driver, "worklist-narrow", 1500, width=500)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    take(driver, "worklist-print", 1300, width=PAPER_PX)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    click(driver, "tr.up-row a[href^='/patients/']")
    until(driver, at("/patients/", "#year"))
    take(driver, "person", 1500)
    take(driver, "person-year", 1100, top="#year")
    take(driver, "person-reasons", 1300, top="#reasons")
    take(driver, "review", 1100, top="#reviews")
    person = driver.current_url.split("?")[0].split("#")[0]
    for page, height in (("conversation", 1500), ("conversation?easy=1", 1500), ("letter", 1300)):
        driver.get(f"{person}/{page}")
        take(driver, page.replace("?easy=1", "-easy"), height)
    for page, height in (("this-week", 1300), ("registers/clozapine", 1300), ("digest", 1300), ("help", 1300)):
        driver.get(f"{url}/{page}")
        take(driver, page.rpartition("/")[2], height)
    driver.get(team.split("?")[0] + "/overview")
    take(driver, "team", 1900)
    take(driver, "team-equality", 1300, top="#equality")
    for page in ("model", "status"):
        driver.get(f"{url}/{page}")
        take(driver, page, 1300)


def auditor(driver: webdriver.Chrome, url: str) -> None:
    sign_in(driver, url, "Auditor")
    driver.get(f"{url}/audit")
    take(driver, "audit", 1100)


def what_goes_wrong(home: Path) -> None:
    """The status page, and the top of every page, when a feed stopped, the list is old and a model was damaged."""
    with tempfile.TemporaryDirectory() as folder:
        faulty, session = faulty_home(home, Path(folder))
        driver = browser(f"{folder}/browser")
        try:
            with serving(faulty, UPSTREAM_ENVIRONMENT="production") as url:
                driver.get(f"{url}/sign-in")
                driver.add_cookie({"name": SESSION_COOKIE, "value": session})
                driver.get(f"{url}/status")
                take(driver, "status-wrong", 1500)
        finally:
            driver.quit()


def main(home: Path) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    if not (home / "demo.json").exists():
        upstream("demo", "--no-serve", "--home", str(home))
    with serving(home, UPSTREAM_ENVIRONMENT="demo") as url:
        for visit in (pharmacist, auditor):
            with tempfile.TemporaryDirectory() as folder:
                driver = browser(folder)
                try:
                    visit(driver, url)
                finally:
                    driver.quit()
    what_goes_wrong(home)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HOME_DIR", ".upstream")))
