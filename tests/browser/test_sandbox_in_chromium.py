"""The sandbox of the demo, as somebody who connects a records system uses it: a hook out, a card back, its link."""

from __future__ import annotations

from selenium.webdriver.common.by import By

from tests.browser.acting import at, click, until


def test_a_hook_is_sent_and_its_card_leads_to_the_person(pharmacist, site):
    pharmacist.get(f"{site}/sandbox")
    field = pharmacist.find_element(By.NAME, "patient_id")
    field.clear()
    field.send_keys("N00")
    click(pharmacist, "main form button")
    until(pharmacist, lambda driver: "Clozapine blood count" in driver.find_element(By.TAG_NAME, "main").text)
    said = pharmacist.find_element(By.TAG_NAME, "main").text
    assert "synthetic data" in said
    for folded, holds in (("What was sent", '"hook": "patient-view"'), ("What came back", '"indicator": "warning"')):
        pharmacist.find_element(By.XPATH, f"//summary[contains(., '{folded}')]").click()
        until(pharmacist, lambda driver, holds=holds: holds in driver.find_element(By.TAG_NAME, "main").text)
    click(pharmacist, "main a[href$='/patients/N00']")
    until(pharmacist, at("/patients/N00", "h1"))
