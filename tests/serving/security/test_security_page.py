"""docs/security.md: every claim names a test, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "security.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def missing(text: str) -> list[str]:
    """Tests that ``text`` names and that do not exist."""
    known: dict[str, set[str]] = {}
    for file in {file for file, _ in NAMED.findall(text)}:
        path = TESTS / file
        tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
        known[file] = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return [f"{file}::{name}" for file, name in NAMED.findall(text) if name not in known[file]]


def claims(text: str) -> list[str]:
    return [row for row in re.findall(r"^\|.+\|$", text, re.M) if not re.match(r"\| (claim|attack|---)", row)]


def test_every_claim_names_a_test():
    rows = claims(PAGE.read_text())
    assert len(rows) > 20
    assert [row for row in rows if not NAMED.search(row)] == []


def test_every_named_test_exists():
    assert missing(PAGE.read_text()) == []


def test_a_named_test_that_does_not_exist_is_found():
    text = (
        "| a | `serving/auditlog/test_log.py::test_tampering_is_found` | `serving/auditlog/test_log.py::test_gone` "
        "`gone.py::test_x` |"
    )
    assert missing(text) == ["serving/auditlog/test_log.py::test_gone", "gone.py::test_x"]
