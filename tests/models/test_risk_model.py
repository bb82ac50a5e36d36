"""Scores add up, never cross over horizons, and come only from the features the model was trained on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from models import FeatureMismatch, RiskModel, Scores

NAMES = ("supply_gap_days", "longest_gap_days", "missed_share", "lithium_overdue_days", "always_the_same")


@pytest.fixture(scope="module")
def model(bundle):
    return RiskModel.load(bundle)


def matrix(rows, seed=1):
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=(rows, 5)) * rng.choice([0.1, 1, 1000], size=(rows, 1))).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    return SimpleNamespace(values=values, names=NAMES)


def test_a_loaded_model_gives_its_names_outcomes_manifest_and_card(model):
    assert model.feature_names == NAMES
    assert model.outcomes == {"admission": (28, 90, 180), "disengagement": (90, 180)}
    assert model.manifest.synthetic is True
    assert model.manifest.run_id == "Run 7"
    assert model.manifest.notes == {"seed": 3}
    assert model.card == {"name": "test", "intended_use": "none"}


def test_every_score_adds_up(model):
    scores = model.score(matrix(5000))
    assert list(scores) == ["admission", "disengagement"]
    for outcome in scores.values():
        logit = np.log(outcome.probability) - np.log1p(-outcome.probability)
        parts = outcome.base + outcome.horizon_part + outcome.contributions.sum(axis=2)
        np.testing.assert_allclose(logit, parts, rtol=0, atol=1e-9)
        assert outcome.contributions.shape == (5000, len(outcome.horizons), 5)


def test_scores_are_lightgbms_scores_calibrated(model, parts):
    rows = matrix(500)
    found = model.score(rows)["admission"]
    for i, days in enumerate(found.horizons):
        x = np.column_stack([rows.values, np.full(500, days, dtype=np.float32)])
        margin = parts["boosters"]["admission"].predict(x, raw_score=True, num_threads=1)
        shap = parts["boosters"]["admission"].predict(x, pred_contrib=True, num_threads=1)
        slope, offset = parts["calibration"]["admission"].slope, parts["calibration"]["admission"].offsets[i]
        np.testing.assert_allclose(found.probability[:, i], 1 / (1 + np.exp(-slope * margin - offset)), rtol=1e-12)
        np.testing.assert_allclose(found.contributions[:, i], slope * shap[:, :5], rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.horizon_part[:, i], slope * shap[:, 5], rtol=0, atol=1e-12)


def test_a_longer_horizon_never_carries_less_risk(model):
    """A million random rows, with values far outside training and 30% missing."""
    for seed in range(10):
        for outcome in model.score(matrix(100_000, seed), contributions=False, threads=2).values():
            assert np.all(np.diff(outcome.probability, axis=1) >= 0)


def test_one_person_scores_as_in_a_batch_with_and_without_contributions(model):
    rows = matrix(50)
    batch, plain = model.score(rows), model.score(rows, contributions=False)
    assert plain["admission"].contributions is None
    for i in range(50):
        one = model.score(rows.values[i : i + 1], names=NAMES)
        for outcome in one:
            assert np.array_equal(one[outcome].probability[0], batch[outcome].probability[i])
            assert np.array_equal(one[outcome].probability[0], plain[outcome].probability[i])
            assert np.array_equal(one[outcome].contributions[0], batch[outcome].contributions[i])


def test_nobody_to_score_is_no_error(model):
    assert model.score(matrix(0))["disengagement"].contributions.shape == (0, 2, 5)


@pytest.mark.parametrize(
    ("values", "names", "says"),
    [
        (np.zeros((2, 5)), (*NAMES[1:], NAMES[0]), "position 0 is longest_gap_days, expected supply_gap_days"),
        (np.zeros((2, 4)), NAMES[:4], "absent: always_the_same"),
        (np.zeros((2, 5)), (*NAMES[:4], "shoe_size"), "not in the model: shoe_size"),
        (np.zeros((2, 6)), (*NAMES, NAMES[0]), "position 5 is supply_gap_days, expected nothing"),
        (np.zeros((2, 4)), NAMES, r"expected floats with shape \(rows, 5\)"),
        (np.zeros((2, 5), dtype=int), NAMES, "matrix of int64"),
        (np.full((2, 5), np.inf), NAMES, "infinite values in supply_gap_days"),
        (np.zeros((2, 5)), None, "without names"),
    ],
)
def test_other_features_are_refused(model, values, names, says):
    with pytest.raises(FeatureMismatch, match=says):
        model.score(values, names=names)


def test_an_unknown_outcome_or_horizon_says_what_there_is(model):
    scores = model.score(matrix(1))
    with pytest.raises(KeyError, match="there are admission, disengagement"):
        scores["readmission"]
    with pytest.raises(KeyError, match=r"there are \(28, 90, 180\)"):
        model.reasons(scores, 0, "admission", 30)
    with pytest.raises(ValueError, match="contributions=True"):
        model.reasons(model.score(matrix(1), contributions=False), 0, "admission", 28)


def test_reasons_are_the_contributions_of_a_score_by_concept(model):
    rows = matrix(20)
    scores = model.score(rows)
    for row in range(20):
        reasons = model.reasons(scores, row, "admission", 90, top=10)
        sizes = [abs(reason.contribution) for reason in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert sum(reason.contribution for reason in reasons) == pytest.approx(
            scores["admission"].contributions[row, 1].sum(), abs=1e-8
        )
        assert len(model.reasons(scores, row, "admission", 90, top=2)) == 2


def test_inputs_outside_the_training_range_are_named_and_what_is_missing_is_not(model):
    ranges = {entry["name"]: (entry["low"], entry["high"]) for entry in model.reference["features"]}
    inside = np.array([[np.nan, 0.0, 0.0, 0.0, 1.0]], dtype=np.float32)
    outside = np.array([[np.nan, 50.0, 0.0, -50.0, 1.0]], dtype=np.float32)
    assert model.outside_training(model.score(inside, names=NAMES), 0) == []
    found = model.outside_training(model.score(outside, names=NAMES), 0)
    assert [(limit["name"], limit["value"], (limit["low"], limit["high"])) for limit in found] == [
        ("longest_gap_days", 50.0, ranges["longest_gap_days"]),
        ("lithium_overdue_days", -50.0, ranges["lithium_overdue_days"]),
    ]


def test_an_input_without_a_part_in_any_score_is_no_limit_of_it(model):
    scores = model.score(np.array([[0, 50, 0, 0, 1]], dtype=np.float32), names=NAMES)
    untouched = {name: replace(found, contributions=found.contributions * 0) for name, found in scores.items()}
    assert model.outside_training(scores, 0) != []
    assert model.outside_training(Scores(untouched, scores.inputs), 0) == []
