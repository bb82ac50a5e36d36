"""No page is left out of the tests for accessibility: every route that answers HTML is visited by axe, at 320 pixels
and with the keyboard."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from selenium.webdriver.common.keys import Keys
from starlette.routing import compile_path

from serving.app import access_of, create_app
from serving.settings import ServiceSettings
from tests.browser.acting import press
from tests.browser.screenshots import sign_in
from tests.browser.test_in_chromium import NARROW, SIGNED_OUT, violations
from tests.serving.states import PAGES

NO_PAGE = re.compile(
    r"/v1/|/fhir|/cds-services|/messages/|/static|/(livez|readyz|version|metrics|openapi\.json|\.well-known)"
    r"|\.(csv|txt|pdf|json)$"
)
REDIRECTS = {"/sign-in/with/{place}", "/sign-in/back", "/launch", "/launch/back"}
"""They send the browser on, and show no page of their own but an error, which is a designed state."""
OTHER_ROLES = {"/audit": "Auditor", "/emergency-access": "Pharmacist", "/monitoring": "Data scientist"}
ALSO = ["/docs", "/find", "/sandbox", "/teams/north/texts", "/incidents", "/rating"]
PLACE = """const e = document.activeElement;
return e === document.body ? -1 : [...document.querySelectorAll('*')].indexOf(e)"""
EDIT = "/patients/{patient_id}/reviews/{review_id}/edit"
"""Visited by tests/browser/test_morning.py: its address holds the number of a review."""


def visited():
    return {path.partition("?")[0] for path in (*PAGES.values(), *OTHER_ROLES, *ALSO, SIGNED_OUT)}


def page_routes(home):
    app = create_app(ServiceSettings(home=home))
    paths = (route.removeprefix("GET ") for route in access_of(app) if route.startswith("GET "))
    return {path for path in paths if not NO_PAGE.search(path)} - REDIRECTS


def test_each_route_that_answers_a_page_is_visited(browser_home):
    routes = page_routes(browser_home)
    assert len(routes) > 20 and {"/", "/teams", "/patients/{patient_id}", "/audit"} <= routes
    left_out = [route for route in routes if not any(compile_path(route)[0].match(path) for path in visited())]
    assert left_out == [EDIT], "add the page to PAGES of tests/serving/states.py, or to ALSO"


@pytest.mark.parametrize("path", [*OTHER_ROLES, *ALSO])
def test_axe_finds_nothing_and_nothing_runs_past_the_side(pharmacist, site, axe, path):
    if (role := OTHER_ROLES.get(path, "Pharmacist")) != "Pharmacist":
        pharmacist.delete_all_cookies()
        sign_in(pharmacist, site, role)
    pharmacist.get(site + path)
    assert violations(pharmacist, axe) == []
    pharmacist.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
    reach = pharmacist.execute_script("return document.documentElement.scrollWidth")
    pharmacist.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert reach <= 320


@pytest.mark.parametrize("path", ["/teams", "/patients/N00", "/registers/clozapine", "/find", "/sandbox", "/digest"])
def test_each_control_of_a_page_is_reached_by_tab_in_the_order_of_the_page(pharmacist, site, path):
    """From the skip link on, Tab visits links, fields and buttons from the top of the page down, and never sticks."""
    pharmacist.get(site + path)
    seen = []
    for _ in range(40):
        press(pharmacist, Keys.TAB)
        seen.append(pharmacist.execute_script(PLACE))
    in_turn = [place for place in seen if place >= 0]
    assert len(in_turn) > 15 and all(a != b for a, b in pairwise(in_turn))
    down = in_turn[: in_turn.index(max(in_turn)) + 1]
    assert down == sorted(down)
