"""No page is left out of the tests for accessibility: every route that answers HTML is visited by axe and at 320
pixels, and the longest with the keyboard."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from selenium.webdriver.common.keys import Keys
from starlette.routing import compile_path

from serving.app import access_of, create_app
from serving.settings import ServiceSettings
from tests.browser.acting import press, until
from tests.browser.test_in_chromium import VISITS

NO_PAGE = re.compile(
    r"/v1/|/fhir|/cds-services|/messages/|/static|/(livez|readyz|version|metrics|openapi\.json|\.well-known)"
    r"|\.(csv|txt|pdf|json)$"
)
REDIRECTS = {"/sign-in/with/{place}", "/sign-in/back", "/launch", "/launch/back"}
"""They send the browser on, and show no page of their own but an error, which is a designed state."""
NOTE_EACH_PLACE = """window.places = [];
document.addEventListener('keyup', () => {
  const e = document.activeElement;
  window.places.push(e === document.body ? -1 : [...document.querySelectorAll('*')].indexOf(e));
}, true);"""
TABS = 40
EDIT = "/patients/{patient_id}/reviews/{review_id}/edit"
"""Visited by tests/browser/test_morning.py: its address holds the number of a review."""


def visited():
    return {path.partition("?")[0] for path in VISITS.values()}


def page_routes(home):
    app = create_app(ServiceSettings(home=home))
    paths = (route.removeprefix("GET ") for route in access_of(app) if route.startswith("GET "))
    return {path for path in paths if not NO_PAGE.search(path)} - REDIRECTS


def test_each_route_that_answers_a_page_is_visited(browser_home):
    routes = page_routes(browser_home)
    assert len(routes) > 20 and {"/", "/teams", "/patients/{patient_id}", "/audit"} <= routes
    left_out = [route for route in routes if not any(compile_path(route)[0].match(path) for path in visited())]
    assert left_out == [EDIT], "add the page to PAGES of tests/serving/states.py, or to VISITS"


@pytest.mark.parametrize("path", ["/teams", "/patients/N00", "/registers/clozapine", "/find", "/sandbox", "/digest"])
def test_each_control_of_a_page_is_reached_by_tab_in_the_order_of_the_page(pharmacist, site, path):
    """From the skip link on, Tab visits links, fields and buttons from the top of the page down, and never sticks."""
    pharmacist.get(site + path)
    pharmacist.execute_script(NOTE_EACH_PLACE)
    press(pharmacist, Keys.TAB * TABS)
    seen = until(pharmacist, lambda d: len(noted := d.execute_script("return window.places")) == TABS and noted)
    in_turn = [place for place in seen if place >= 0]
    assert len(in_turn) > 15 and all(a != b for a, b in pairwise(in_turn))
    down = in_turn[: in_turn.index(max(in_turn)) + 1]
    assert down == sorted(down)
