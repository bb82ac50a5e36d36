"""The words of a pharmacist's pages: no term of the glossary that is not theirs, and none of the words that were
replaced."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.serving.states import PAGES

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
NOT_THEIRS = [term for term, mark in re.findall(r"^\| ([^|]+?) \| (P?) *\|", GLOSSARY, re.M) if not mark]
REPLACED = (
    "slot",
    "log-odds",
    "booster",
    "AUROC",
    "affine",
    "of late",
    "certain care gap",
    "middle of this team",
    "drop out of contact",
)
TERMS = [term for term in NOT_THEIRS if term not in ("-", "term")]
INTERNAL = re.compile(rf"\b(?:{'|'.join(map(re.escape, (*TERMS, *REPLACED)))})s?\b|\b(?:th|mp|ix|ep)\d{{3}}\b", re.I)
ALSO = ("/emergency-access", "/incidents", "/rating")
"""Pages of a pharmacist that are no designed state."""
THEIR_PAGES = [path for path in dict.fromkeys((*PAGES.values(), *ALSO)) if path != "/sandbox"]
"""The sandbox is for those who connect a record system."""


def visible(page: str) -> str:
    """The text of a page's main part, as somebody reads it."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", " ", main, flags=re.S)).split())


def test_no_page_of_a_pharmacist_shows_an_internal_term(browser):
    pharmacist = browser("pharmacist:north")
    found = {}
    for path in THEIR_PAGES:
        text = visible(pharmacist.get(path).text)
        met = [text[max(0, m.start() - 40) : m.end() + 40] for m in INTERNAL.finditer(text)]
        if met:
            found[path] = met
    assert found == {}


def test_the_list_of_words_is_not_empty():
    assert {"horizon", "bundle", "spine", "feature"} <= set(NOT_THEIRS)
