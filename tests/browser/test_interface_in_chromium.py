"""``/docs`` in a real browser: a call is tried with a token, and the content security policy refuses nothing."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

from serving.security.tokens import issue_token
from serving.web.interface import assets
from tests.browser.acting import click, shows, until


@pytest.fixture
def interface(pharmacist, site):
    if not assets.are_installed():
        pytest.skip("Swagger UI is not here: run `make swagger` (needs npm)")
    pharmacist.get_log("browser")
    pharmacist.get(f"{site}/docs")
    until(pharmacist, shows(".opblock"))
    return pharmacist


def test_a_call_is_tried_with_a_token_and_nothing_is_refused(interface, browser_home):
    token = issue_token(browser_home, "cmht_system", ["north"])
    click(interface, ".btn.authorize")
    until(interface, shows(".auth-container input"))
    interface.find_element(By.CSS_SELECTOR, ".auth-container input").send_keys(token)
    click(interface, ".auth-container .btn.authorize")
    click(interface, ".auth-btn-wrapper .btn-done")
    scores = '//span[@data-path="/v1/scores"]/ancestor::div[contains(@class, "opblock-post")]'
    block = interface.find_element(By.XPATH, scores)
    block.find_element(By.CSS_SELECTOR, ".opblock-summary-control").click()
    until(interface, shows(".try-out__btn"))
    click(interface, ".try-out__btn")
    until(interface, shows(".execute"))
    click(interface, ".execute")
    until(interface, shows(".live-responses-table tr.response td.response-col_status"))
    assert (
        interface.find_element(By.CSS_SELECTOR, ".live-responses-table tr.response td.response-col_status").text[:3]
        == "200"
    )
    assert [line["message"] for line in interface.get_log("browser")] == []
