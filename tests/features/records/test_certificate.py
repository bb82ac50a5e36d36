"""The certificate: equal features through every door, and by name those that a door cannot know."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features.records.sources_certificate import TRUST, day_of_certificate, through_fhir, through_mhsds, unequal
from training.simulator import simulate

DOCUMENT = Path(__file__).parents[3] / "docs" / "sources.md"


@pytest.fixture(scope="module")
def trust():
    return simulate(**TRUST).records


def listed(door: str) -> set[str]:
    """The features that docs/sources.md says a door cannot know."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition(f"<!-- certificate {door} -->")[2].partition("<!-- end -->")[0]
    return {word for word in section.split("`")[1::2]}


def test_every_feature_is_equal_through_fhir(trust, tmp_path):
    assert unequal(trust, through_fhir(trust, tmp_path), day_of_certificate(trust)) == ()


@pytest.mark.slow
def test_mhsds_with_medicines_gives_every_feature_that_the_document_does_not_list(trust, tmp_path):
    differing = set(unequal(trust, through_mhsds(trust, tmp_path), day_of_certificate(trust)))
    assert differing <= listed("mhsds"), (
        "docs/sources.md promises these: python -m tests.features.records.sources_certificate"
    )
