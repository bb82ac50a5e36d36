"""Every citation of a numbered section or rule leads to one that exists, and no text cites a document that is not
here."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import ROOT

CITED = re.compile(r"docs/(clinical|methods|architecture)\.md(?:[\s#*\"']+)(sections?|rules?)[\s#*\"']+(\d+(?:\.\d+)?)")
ELSEWHERE = re.compile(r"\b(?:CLINICAL\.md|DESIGN(?:\.md)?\s+(?:rule|section)|research/evaluation)")


def texts() -> dict[str, str]:
    """Every text file of the repository but this one, by name."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wanted = (".py", ".md", ".csv", ".yaml", ".html", ".json", ".toml")
    return {
        name: (ROOT / name).read_text(encoding="utf-8", errors="ignore")
        for name in listed
        if name.endswith(wanted) and name != "tests/test_citations.py" and (ROOT / name).exists()
    }


def places(page: str) -> set[str]:
    """The numbers of a page's sections (``section 2.1``) or of its rules (``rule 7``)."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    sections = {f"section {number}" for number in re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", text, re.M)}
    rules = re.findall(r"^(\d+)\. \*\*", text, re.M) if page == "architecture" else []
    return sections | {f"rule {number}" for number in rules}


def citations(text: str) -> list[tuple[str, str]]:
    """(page, place) of every citation in a text."""
    return [(page, f"{kind.rstrip('s')} {number}") for page, kind, number in CITED.findall(text)]


def test_every_citation_leads_to_a_place_that_exists():
    known = {page: places(page) for page in ("clinical", "methods", "architecture")}
    found = [(name, *cited) for name, text in texts().items() for cited in citations(text)]
    assert len(found) > 60
    assert [one for one in found if one[2] not in known[one[1]]] == []


def test_nothing_cites_a_document_that_is_not_in_the_repository():
    assert [name for name, text in texts().items() if ELSEWHERE.search(text)] == []


@pytest.mark.parametrize("text", ["docs/clinical.md section 9.9", "docs/architecture.md\n    rule 15"])
def test_a_citation_that_leads_nowhere_is_found(text):
    ((page, place),) = citations(text)
    assert place not in places(page)
