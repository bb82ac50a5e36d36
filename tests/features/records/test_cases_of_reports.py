"""docs/records.md leads from each case of a public report to our own tests of the right value."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

CASES = ROOT.parent / "shared" / "findings" / "cases"
PAGE = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
ROWS = [
    (case, re.findall(r"`([^`]+)`", tests))
    for case, tests in re.findall(r"^\| ((?:data|api)_\d\d) \|.*\| ([^|]+) \|$", PAGE, re.M)
]


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def test_each_case_has_one_row():
    assert len({case for case, _ in ROWS}) == len(ROWS) == PAGE.count("\n| data_") + PAGE.count("\n| api_") == 36


@pytest.mark.parametrize(("case", "tests"), ROWS, ids=[case for case, _ in ROWS])
def test_a_row_names_tests_that_exist(case, tests):
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        assert Path(path).name.startswith("test_") and name in names_in(path), test


@pytest.mark.external
@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/findings/cases")
def test_every_case_of_the_folder_has_a_row():
    given = {re.match(r"(?:data|api)_\d\d", path.name)[0] for path in CASES.iterdir() if path.name != "README.md"}
    assert given == {case for case, _ in ROWS}
