"""What a reason says: concept by concept, raises or lowers, and what is missing."""

import numpy as np
import pytest

from models import BundleRefused
from models.explain.reasons import ConceptText, FeatureText, Reasoner, check_wording

FEATURES = (
    FeatureText("gap_30", "supply", "days"),
    FeatureText("gap_90", "supply", "days"),
    FeatureText("level_age", "lithium", "days"),
    FeatureText("missed", "contacts", "share"),
)
CONCEPTS = {
    "supply": ConceptText("supply", "Supply", "a gap in supply", "supply in hand"),
    "lithium": ConceptText("lithium", "Lithium monitoring", "lithium checks overdue", "lithium checks up to date"),
}
NAN = np.nan


@pytest.mark.parametrize(
    ("contributions", "values", "expected"),
    [
        # windows of one signal are summed before ranking, so the pair outranks the single
        (
            [0.3, 0.3, 0.0, -0.5],
            [9, 9, 1, 0.1],
            [
                ("supply", 0.6, "Raises the estimated risk: a gap in supply."),
                ("contacts", -0.5, "Lowers the estimated risk: contacts."),
            ],
        ),
        # and where they disagree, what is left of them speaks
        ([0.3, -0.4, 0.0, 0.0], [9, 9, 1, 0], [("supply", -0.1, "Lowers the estimated risk: supply in hand.")]),
        # nothing recorded is never worded as normal
        (
            [0.0, 0.0, -0.2, 0.0],
            [9, 9, NAN, 0],
            [
                (
                    "lithium",
                    -0.2,
                    "Lowers the estimated risk: lithium monitoring. There is nothing on record, or it does not apply.",
                )
            ],
        ),
        # one part known is enough to word it
        ([0.1, 0.2, 0.0, 0.0], [NAN, 3, 1, 0], [("supply", 0.3, "Raises the estimated risk: a gap in supply.")]),
        # no contribution, no reason
        ([0.0, 0.0, 0.0, 0.0], [1, 1, 1, 1], []),
        ([0.5, -0.5, 0.0, 0.0], [1, 1, 1, 1], []),
    ],
)
def test_reasons_of_one_row(contributions, values, expected):
    found = Reasoner(FEATURES, CONCEPTS).find(np.array(contributions), np.array(values, dtype=np.float32), top=5)
    assert [(r.concept, pytest.approx(r.contribution), r.sentence) for r in found] == expected
    assert all(r.direction == ("raises" if r.contribution > 0 else "lowers") for r in found)


def test_a_good_score_on_a_rating_scale_is_never_a_reason():
    """It takes no place of another reason either. A score that raises the risk is one."""
    features = (*FEATURES, FeatureText("gaf_latest", "outcome_scores", "score"))
    words = {**CONCEPTS, "outcome_scores": ConceptText("outcome_scores", "Outcome scores", "the scores", "the scores")}

    def reasons(part: float) -> list[str]:
        values = np.array([9, 9, 1, 0, 70], dtype=np.float32)
        found = Reasoner(features, words).find(np.array([0.3, 0.0, 0.0, 0.0, part]), values, top=1)
        return [reason.concept for reason in found]

    assert reasons(-0.9) == ["supply"]
    assert reasons(0.9) == ["outcome_scores"]


def test_the_features_behind_a_reason_come_largest_first_with_value_unit_and_what_is_missing():
    found = Reasoner(FEATURES, CONCEPTS).find(np.array([0.1, 0.4, 0, 0]), np.array([NAN, 12.5, 0, 0]), top=5)
    assert found[0].features == [
        {"name": "gap_90", "value": 12.5, "unit": "days", "contribution": 0.4, "missing": False},
        {"name": "gap_30", "value": None, "unit": "days", "contribution": 0.1, "missing": True},
    ]


MISSED = (
    FeatureText("missed_90d", "missed", "count", direction=1, missing="zero"),
    FeatureText("missed_share_90d", "missed", "share", direction=1, missing="unknown"),
    FeatureText("review_days_past_due", "missed", "days", missing="unknown"),
)
MISSED_TEXT = {"missed": ConceptText("missed", "Missed appointments", "missed appointments", "few missed appointments")}
NOTHING = "Lowers the estimated risk: missed appointments. There is nothing on record, or it does not apply."
NOT_ALL = "Lowers the estimated risk: missed appointments, on balance; not all is in order."


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        # nobody has been in touch: none missed of none is not good news
        ([0, NAN, NAN], NOTHING),
        # five kept appointments and none missed: the share, which had no part in the score, tells the difference
        ([0, 0.0, NAN], "Lowers the estimated risk: few missed appointments."),
        # lowers on balance, while something was missed or stands overdue: not worded as if all were well
        ([2, 0.1, NAN], NOT_ALL),
        ([0, 0.0, 12.0], NOT_ALL),
        ([0, 0.0, -12.0], "Lowers the estimated risk: few missed appointments."),
    ],
)
def test_absence_and_what_is_overdue_are_never_worded_as_good_news(values, sentence):
    found = Reasoner(MISSED, MISSED_TEXT).find(np.array([-0.4, 0.0, 0.0]), np.array(values, dtype=np.float32), top=5)
    assert found[0].sentence == sentence


def test_no_wording_claims_a_cause():
    with pytest.raises(BundleRefused, match="a contribution is not a cause"):
        check_wording([ConceptText("x", "X", "high because of x", "low x")])
