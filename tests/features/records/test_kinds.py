"""The page of records shows what the code does with nine inputs of every kind of fault."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.features.records.kinds import KINDS, answer, rows, through, what_stands


@pytest.mark.parametrize(
    ("kind", "place"), [(kind, place) for kind, (_, inputs) in KINDS.items() for place in range(len(inputs))]
)
def test_each_kind_of_input_gives_the_result_of_the_table(kind, place, tmp_path):
    given = KINDS[kind][1][place]
    assert answer(given, tmp_path) == given.answer


DOORS = ("frames", "request", "parquet", "into")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "G"])  # faults of CSV files have one door
def test_every_source_gives_the_result_of_the_table(kind, door, tmp_path):
    for place, given in enumerate(KINDS[kind][1]):
        folder = tmp_path / str(place)
        folder.mkdir()
        said, expected = through(door, given, folder), given.answer
        if door == "into":
            said, expected = what_stands(said), what_stands(expected)
            expected = re.sub(r"(; )?\w+ by default: \w+", "", expected)  # a store holds it as the value
            said = re.sub(r"(; )?\w+ by default: \w+", "", said)
        assert said == expected, given.csv


def test_every_kind_has_nine_inputs_and_the_page_shows_them_all():
    assert {kind: len(inputs) for kind, (_, inputs) in KINDS.items()} == dict.fromkeys("ABCDEFG", 9)
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- kinds:[^>]*-->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert table.splitlines() == rows(), "write the rows of tests/features/records/kinds.py into docs/records.md"
