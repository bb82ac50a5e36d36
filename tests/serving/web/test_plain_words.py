"""The words of a pharmacist's pages: no term of the glossary that is not theirs, and none of the words that were
replaced."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

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
ROW_ID = re.compile(r"\b(?:th|mp|ix|ep)\d{3}\b")
PAGES = (
    "/",
    "/teams/north",
    "/teams/north?limit=500&ranking=gaps",
    "/teams/north/overview",
    "/patients/N00",
    "/patients/N03",
    "/patients/N01",
)


def visible(page: str) -> str:
    """The text of a page's main part, as somebody reads it."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", " ", main, flags=re.S)).split())


@pytest.mark.parametrize("path", PAGES)
def test_no_page_shows_an_internal_term(browser, path):
    text = visible(browser("pharmacist:north").get(path).text)
    terms = [term for term in NOT_THEIRS if term not in ("-", "term")]
    met = [t for t in (*terms, *REPLACED) if re.search(rf"\b{re.escape(t)}s?\b", text, re.IGNORECASE)]
    around = [text[max(0, m.start() - 40) : m.end() + 40] for t in met for m in re.finditer(rf"\\b{t}", text, re.I)]
    assert met == [], around
    assert not ROW_ID.search(text)


def test_the_list_of_words_is_not_empty():
    assert {"horizon", "bundle", "spine", "feature"} <= set(NOT_THEIRS)
