"""Waiting and acting in a browser without depending on its speed.

A condition looks its elements up each time it is asked, and an element that left the page meanwhile counts as "not
yet". Keys go to whatever has the focus, so no element is held over a change of page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_SECONDS = 120
LEFT_THE_PAGE = "does not belong to the document"
"""What Chromium's driver also says of an element whose page is being replaced."""
NOT_YET = (StaleElementReferenceException, NoSuchElementException, ElementClickInterceptedException)

FOCUSED = """
const e = document.activeElement, s = getComputedStyle(e);
return {
  id: e.id, href: e.href || '', name: e.name || '', value: e.value || '', text: (e.innerText || '').trim(),
  visible: s.outlineStyle !== 'none' || s.boxShadow !== 'none' || s.backgroundColor !== 'rgba(0, 0, 0, 0)',
}
"""


def until(driver: Chrome, condition: Callable[[Chrome], Any]) -> Any:
    """What ``condition`` returns once it is true; a page that is being replaced is asked again."""

    def holds(driver: Chrome) -> Any:
        try:
            return condition(driver)
        except WebDriverException as error:
            if LEFT_THE_PAGE in str(error):
                return False
            raise

    return WebDriverWait(driver, PATIENCE_SECONDS, ignored_exceptions=NOT_YET).until(holds)


def shows(css: str) -> Callable[[Chrome], bool]:
    """Condition: an element that ``css`` selects is on the page."""
    return lambda driver: bool(driver.find_elements(By.CSS_SELECTOR, css))


def at(part: str, css: str) -> Callable[[Chrome], bool]:
    """Condition: the address holds ``part`` and the page an element that ``css`` selects."""
    return lambda driver: part in driver.current_url and shows(css)(driver)


def has_focus(css: str) -> Callable[[Chrome], bool]:
    """Condition: what has the focus matches ``css``."""
    return lambda driver: driver.execute_script("return document.activeElement.matches(arguments[0])", css)


def press(driver: Chrome, *keys: str) -> None:
    """Press keys, one after the other, wherever the focus is."""
    ActionChains(driver).send_keys(*keys).perform()


def click(driver: Chrome, css: str) -> None:
    """Click the first element that ``css`` selects, once it is there and can be clicked."""

    def clicked(found: Chrome) -> bool:
        found.find_element(By.CSS_SELECTOR, css).click()
        return True

    until(driver, clicked)


def focused(driver: Chrome) -> dict[str, Any]:
    """What has the focus: id, href, name, value, text, and whether the focus can be seen."""
    found: dict[str, Any] = driver.execute_script(FOCUSED)
    return found
