"""Takes the README's pictures from a running demo: ``make screenshots`` (needs Debian's chromium and chromium-driver).

Every picture shows synthetic people, and says so on the page.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.conftest import ROOT, serving, upstream

PICTURES = ROOT / "docs" / "pictures"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
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
    driver.find_element(By.CSS_SELECTOR, "main form button").click()
    WebDriverWait(driver, 60).until(lambda d: "/sign-in" not in d.current_url)


def take(driver: webdriver.Chrome, name: str, height: int = 1000) -> None:
    driver.set_window_size(1280, height)
    driver.save_screenshot(str(PICTURES / f"{name}.png"))


def main(home: Path) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    if not (home / "demo.json").exists():
        upstream("demo", "--no-serve", "--home", str(home))
    with serving(home, UPSTREAM_ENVIRONMENT="demo") as url, tempfile.TemporaryDirectory() as folder:
        driver = browser(folder)
        try:
            sign_in(driver, url, "Pharmacist")
            take(driver, "teams", 900)
            driver.find_element(By.CSS_SELECTOR, "main a[href^='/teams/']").click()
            take(driver, "worklist", 1750)
            driver.find_element(By.CSS_SELECTOR, "main a[href^='/patients/']").click()
            take(driver, "person", 1500)
        finally:
            driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HOME_DIR", ".upstream")))
