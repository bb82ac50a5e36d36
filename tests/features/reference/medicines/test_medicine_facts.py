"""The facts for a conversation: every medicine for the mind has some, each names its source, and no row claims to be
checked that was not."""

from __future__ import annotations

import re

import pytest

from features.reference import MEDICINES
from features.reference.medicines.medicine_facts import MEDICINE_FACTS, facts_about


def test_every_psychotropic_has_facts():
    missing = {name for name, one in MEDICINES.items() if one.medicine_class != "other" and facts_about(name) is None}
    assert missing == set()


@pytest.mark.parametrize(
    ("medicine", "scope"),
    [
        ("clozapine", "clozapine"),
        ("risperidone ISM injection", "risperidone"),
        ("sertraline", "antidepressant_ssri"),
        ("diazepam", "benzodiazepine_or_z_drug"),
        ("pimozide", "antipsychotic_first_generation"),
    ],
)
def test_a_medicine_has_its_own_row_else_that_of_its_class(medicine, scope):
    assert facts_about(medicine).scope == scope


def test_a_medicine_that_no_row_speaks_of_has_no_facts():
    assert facts_about("ibuprofen") is None and facts_about("no such medicine") is None


def test_every_row_is_marked_until_a_pharmacist_has_checked_it_and_easy_words_are_as_many():
    for row in MEDICINE_FACTS:
        assert not row.verified and ("SmPC" in row.source or "NHS" in row.source), row.scope
        assert 2 <= len(row.side_effects) <= 6 and len(row.side_effects_easy) >= 2, row.scope
        words = " ".join((row.used_for, *row.side_effects, row.urgent)).lower()
        assert not re.search(r"\b(risk|safe|normal|complian)", words), row.scope
