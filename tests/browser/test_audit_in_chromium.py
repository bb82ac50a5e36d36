"""The auditor's page and emergency access in a real browser: axe-core finds nothing, and nothing is cut off when
narrow."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

from tests.browser.acting import click, shows, until
from tests.browser.test_in_chromium import violations


@pytest.fixture
def opened(sign_in_as, site):
    """A person of another team was opened, by the form."""
    pharmacist = sign_in_as("Pharmacist, North team")
    pharmacist.get(f"{site}/emergency-access")
    pharmacist.find_element(By.ID, "patient_id").send_keys("S02")
    click(pharmacist, "input[value=crisis_call]")
    click(pharmacist, "main button")
    until(pharmacist, shows(".up-emergency"))
    return pharmacist


def test_emergency_access_and_the_auditors_page(opened, sign_in_as, site, axe):
    assert "Opened in an emergency, until" in opened.find_element(By.CSS_SELECTOR, ".up-emergency h2").text
    assert violations(opened, axe) == []
    opened.get(f"{site}/emergency-access")
    click(opened, "main button")
    until(opened, shows(".up-errors"))
    assert violations(opened, axe) == []
    sign_in_as("Auditor")
    opened.get(f"{site}/audit")
    assert "S02" in opened.find_element(By.ID, "emergencies").find_element(By.XPATH, "..").text
    assert violations(opened, axe) == []
    opened.set_window_size(500, 900)
    width = opened.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
