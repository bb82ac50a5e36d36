"""docs/vignettes.md leads from each vignette of the review to our own tests that show the same."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.spec.gaps.test_review_vignettes import VIGNETTES as REVIEW
from tests.spec.gaps.test_vignettes import VIGNETTES
from tests.spec.gaps.vignettes import Vignette

PAGE = (ROOT / "docs" / "vignettes.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## ")[0]
ROWS = [
    (review, codes.split(", "), re.findall(r"`([^`]+)`", tests))
    for review, codes, tests in re.findall(r"^\| ([A-Z]\w*\d\d) \| ([^|]+) \| (`[^|]+`) \|$", TABLE, re.M)
]
OURS = {str(one): one for one in VIGNETTES}


def codes_of(one: Vignette) -> set[str]:
    """Codes that a vignette asks for, and with ``not`` those that it rules out."""
    return {must.code for must in one.must} | {f"not {entry.partition(':')[0]}" for entry in one.not_found}


def test_the_names_of_our_vignettes_are_one_each():
    assert len(OURS) == len(VIGNETTES)


def test_each_of_the_94_has_one_row():
    assert len({review for review, _, _ in ROWS}) == len(ROWS) == 94
    assert len(ROWS) == TABLE.count("\n| ") - 1, "a row of the table cannot be read"


@pytest.mark.parametrize(("review", "codes", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_tests_that_exist_and_show_its_codes(review, codes, tests):
    assert tests and [name for name in tests if name not in OURS] == []
    assert set(codes) <= set().union(*(codes_of(OURS[name]) for name in tests))


@pytest.mark.external
@pytest.mark.skipif(not REVIEW, reason="needs the review's vignettes.json in ../shared/findings")
def test_the_rows_are_the_reviews_with_its_codes_and_severities():
    ours = {review: (codes, [OURS[name] for name in tests]) for review, codes, tests in ROWS}
    assert set(ours) == {one["name"].split()[0] for one in REVIEW}
    for one in REVIEW:
        codes, tests = ours[one["name"].split()[0]]
        shown = {(must.code, must.severity) for test in tests for must in test.must}
        for must in one["must"] or []:
            assert must["code"] in codes, one["name"]
            assert not must["severity"] or (must["code"], must["severity"]) in shown, one["name"]
        for entry in one["must_not"] or []:
            assert f"not {entry.partition(':')[0]}" in set().union(*map(codes_of, tests)), one["name"]
