"""The fault table in docs/operations.md is these tests, row by row, and names tests that exist."""

from __future__ import annotations

import re
from types import FunctionType

from tests.conftest import ROOT
from tests.faults import test_bodies, test_database, test_feeds, test_identity, test_process, test_restore

DOCUMENT = (ROOT / "docs" / "operations.md").read_text()


def rows() -> list[str]:
    found = []
    for module in (test_bodies, test_database, test_feeds, test_identity, test_process, test_restore):
        for name, function in vars(module).items():
            for mark in getattr(function, "pytestmark", ()) if isinstance(function, FunctionType) else ():
                if mark.name == "fault":
                    found.append(
                        f"| {mark.args[0]} | {mark.args[1]} | `{module.__name__.rpartition('.')[2]}.py::{name}` |"
                    )
    return sorted(found)


def test_the_document_holds_every_row_and_no_other():
    table = DOCUMENT.split("| what breaks |")[1].split("\n\n")[0].splitlines()[2:]
    assert table == rows()


def test_every_test_that_the_document_names_is_there():
    named = re.findall(r"`(?:tests/\w+/)?(test_\w+\.py)(?:::(test_\w+))?`", DOCUMENT)
    assert len(named) > 10
    for file, test in named:
        found = [path.read_text() for path in (ROOT / "tests").rglob(file)]
        assert found and (not test or any(f"def {test}(" in text for text in found)), (file, test)
