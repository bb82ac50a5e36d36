"""The codes of the mapping tables: none is mistyped, and each says where it was read."""

from __future__ import annotations

import csv

import pytest

from features.records.sources.fhir.codebook import OWN
from features.reference import TESTS
from features.reference.snomed import has_check_digit


def rows(name):
    lines = [
        line for line in (OWN / f"{name}.csv").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize(
    ("code", "good"),
    [
        ("1239511000000100", True),  # structured medication review
        ("29303009", True),
        ("1239511000000101", False),  # the last digit changed
        ("1293511000000100", False),  # two digits that stand side by side changed places
        ("12345", False),  # too short
        ("", False),
        ("٢٩٣٠٣٠٠٩", False),  # digits of another script
    ],
)
def test_a_snomed_code_has_a_check_digit(code, good):
    assert has_check_digit(code) is good


@pytest.mark.parametrize("name", ["tests", "codes"])
def test_every_snomed_code_of_the_tables_has_its_check_digit(name):
    codes = [row["code"] for row in rows(name) if row["system"] == "snomed"]
    assert codes and [code for code in codes if not has_check_digit(code)] == []


def test_every_test_code_says_where_it_was_read_and_only_memory_is_not_verified():
    for row in rows("tests"):
        assert row["source"] and (row["verified"] == "no") == (row["source"] == "memory"), row["code"]


def test_each_code_is_given_to_a_test_once_and_a_snomed_code_to_one_test():
    given = [(row["system"], row["code"], row["test"]) for row in rows("tests")]
    assert len(set(given)) == len(given)
    snomed = [code for system, code, _ in given if system == "snomed"]
    assert len(set(snomed)) == len(snomed)
    assert {test for _, _, test in given} <= set(TESTS)
