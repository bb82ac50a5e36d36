"""The page of records shows what the code does with three inputs of every kind of fault."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.features.records.kinds import KINDS, answer, rows


@pytest.mark.parametrize(
    ("kind", "place"), [(kind, place) for kind, (_, inputs) in KINDS.items() for place in range(len(inputs))]
)
def test_each_input_ends_as_the_table_says(kind, place, tmp_path):
    given = KINDS[kind][1][place]
    assert answer(given, tmp_path) == given.answer


def test_every_kind_has_three_inputs_and_the_page_shows_them_all():
    assert {kind: len(inputs) for kind, (_, inputs) in KINDS.items()} == dict.fromkeys("ABCDEFG", 3)
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- kinds:[^>]*-->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert table.splitlines() == rows(), "write the rows of tests/features/records/kinds.py into docs/records.md"
