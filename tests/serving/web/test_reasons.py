"""Reasons as a page lists them: what can be acted on first, nothing that a gap contradicts, no comfort silently."""

from __future__ import annotations

import pytest

from features import CONCEPTS
from features.gaps import CODES
from serving.scoring.schemas import ReasonFeature, RiskReason
from serving.web.reasons import CANNOT_BE_ACTED_ON, CONTRADICTED_BY, listed_reasons


def reason(concept, contribution, value=1.0):
    feature = ReasonFeature(name="a", value=value, unit="", contribution=contribution, missing=value is None)
    return RiskReason(
        concept=concept,
        label=concept,
        direction="raises" if contribution > 0 else "lowers",
        contribution=contribution,
        sentence=concept,
        features=[feature],
    )


def listed(*reasons, gaps=()):
    return [one.concept for one in listed_reasons(reasons, set(gaps))]


def test_a_reason_that_can_be_acted_on_comes_before_one_that_cannot():
    assert listed(reason("admissions", 0.9), reason("depot", 0.2), reason("reviews", 0.1)) == [
        "depot",
        "reviews",
        "admissions",
    ]


@pytest.mark.parametrize(("concept", "code"), [(c, code) for c, codes in CONTRADICTED_BY.items() for code in codes])
def test_no_reason_lowers_a_risk_if_a_gap_contradicts_it(concept, code):
    assert listed(reason(concept, -0.5), gaps=[code]) == []
    assert listed(reason(concept, 0.5), gaps=[code]) == listed(reason(concept, -0.5)) == [concept]


def test_a_missing_record_never_lowers_a_risk():
    assert listed(reason("substance_use", -0.5, value=None)) == []
    assert listed(reason("contact_recency", 0.5, value=None)) == ["contact_recency"], "absence may raise it"


def test_every_name_is_one_of_the_catalogue_and_of_the_rules():
    assert set(CONTRADICTED_BY) | CANNOT_BE_ACTED_ON <= set(CONCEPTS)
    assert {code for codes in CONTRADICTED_BY.values() for code in codes} <= set(CODES)
