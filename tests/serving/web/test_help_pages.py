"""Help is one click from every page and lands at that page's part; the support contact comes from the settings."""

from __future__ import annotations

import re

import pytest

from serving.web.help.words import GLOSSARY, HELP
from tests.serving.states import PAGES


@pytest.mark.parametrize("path", PAGES.values(), ids=list(PAGES))
def test_every_page_leads_to_its_help(browser, path):
    page = browser("pharmacist:north").get(path).text
    links = re.findall(r'href="/help(?:#([a-z-]+))?"', page)
    assert links and set(links) <= {"", *(section.anchor for section in HELP)}
    assert 'href="/glossary"' in page


def test_the_support_contact_stands_where_people_look_for_it(home, start):
    with start(home, support_contact="upstream@trust.example, extension 4321") as client:
        pages = [client.get("/sign-in").text]
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        pages += [client.get(path).text for path in ("/help", "/patients/N00", "/nothing")]
    assert all("upstream@trust.example, extension 4321" in page for page in pages)


def test_the_words_that_pages_may_not_use_are_not_in_the_help():
    text = " ".join([*GLOSSARY, *GLOSSARY.values(), *(line for one in HELP for line in one.lines)]).lower()
    assert not re.findall(r"\b(horizon|bundle|slot|log-odds|booster|auroc|spine|feature)\b", text)
