"""The certificate: equal features through every door, and by name those that a door cannot know."""

from __future__ import annotations

import pytest

from tests.features.records.sources.omop.export import carried
from tests.features.records.sources_certificate import (
    RULES,
    TRUST,
    day_of_certificate,
    fates_of_rules,
    section,
    through_fhir,
    through_mhsds,
    through_omop,
    uncoded_tests,
    unequal,
)
from training.simulator import simulate


@pytest.fixture(scope="module")
def trust():
    return simulate(**TRUST).records


def listed(door: str) -> set[str]:
    """The features that docs/sources.md says a door cannot know."""
    return set(section(f"certificate {door}").split("`")[1::2])


def test_every_feature_is_equal_through_fhir(trust, tmp_path):
    assert unequal(trust, through_fhir(trust, tmp_path), day_of_certificate(trust)) == ()


@pytest.mark.slow
def test_every_feature_is_equal_through_omop_where_omop_has_a_place_for_its_rows(trust, tmp_path):
    """Equal to the trust without what OMOP cannot hold. Against the whole trust only the listed features differ."""
    read, day = through_omop(trust, tmp_path), day_of_certificate(trust)
    assert unequal(carried(trust), read, day) == ()
    assert set(unequal(trust, read, day)) == listed("omop"), (
        "docs/sources.md names these: python -m tests.features.records.sources_certificate"
    )


@pytest.mark.slow
def test_mhsds_with_medicines_gives_every_feature_that_the_document_does_not_list(trust, tmp_path):
    """Without the eight people who were referred long ago: each month since then is a submission, and before 2015 these
    would be 140 that hold their open referrals and nothing else."""
    referrals = trust["referrals"]
    long_ago = set(referrals["patient_id"][referrals["opened_on"] < "2015-01-01"])
    trust = trust.select([who for who in trust.patient_ids if who not in long_ago])
    assert len(trust) >= 90
    differing = set(unequal(trust, through_mhsds(trust, tmp_path), day_of_certificate(trust)))
    assert differing <= listed("mhsds"), (
        "docs/sources.md promises these: python -m tests.features.records.sources_certificate"
    )


def test_the_document_names_the_tests_that_have_no_snomed_code():
    assert section("tests without snomed") == uncoded_tests()


@pytest.mark.external
@pytest.mark.slow
def test_the_mhsds_of_a_trust_breaks_no_rule_and_the_document_says_what_was_evaluated(trust, tmp_path):
    """Each of the 1,134 rules has one fate: evaluated, its item not sent, or why it cannot be evaluated."""
    if not RULES.exists():
        pytest.skip("the public rules are not on this machine (../shared/data/mhsds)")
    found = fates_of_rules(trust, RULES, tmp_path)
    assert "Rows rejected: 0." in found
    assert section("mhsds rules") == found
