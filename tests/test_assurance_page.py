"""docs/assurance.md and docs/install.md: every test and page that they name is there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

PAGES = ("assurance.md", "install.md")


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page):
    named = re.findall(r"`((?:tests/)?[\w/]+\.py)(?:::(\w+))?`", text_of(page))
    assert named
    for path, test in named:
        file = ROOT / "tests" / path.removeprefix("tests/")
        assert file.is_file(), f"{page} names {path}"
        assert not test or f"def {test}(" in file.read_text(encoding="utf-8"), f"{page} names {path}::{test}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", text_of(page)):
        assert (ROOT / "docs" / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists(page):
    import typer.main

    import upstream

    known = typer.main.get_command(upstream.app).commands
    verbs = re.findall(r"`upstream (\w+)", text_of(page)) + re.findall(r"--rm nightly (\w+)", text_of(page))
    assert verbs and set(verbs) <= known.keys()
