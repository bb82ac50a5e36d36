"""What the ledger keeps of a value in words: what a reader can read, and nothing that somebody wrote."""

import json

import pytest

from features.records.sources.fhir import resources as r
from features.records.sources.fhir.canonical import canonical
from features.records.sources.fhir.references import Scope


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("2.1", True),
        ("<0.1", True),
        ("2.1 mmol/L", True),
        ("QNS", True),
        ("2.1 for Anna", False),
        ("2.1 furlong", False),
        ("rang the mother", False),
    ],
)
def test_a_value_in_words_is_kept_only_where_it_can_be_read(words, kept):
    raw = json.dumps({"resourceType": "Observation", "id": "o1", "status": "final", "valueString": words}).encode()
    made = canonical(r.decode(raw), Scope.nowhere())
    assert made.valueString == (words if kept else "words that are not kept")
