"""The scikit-learn face: our booster and calibration as a classifier that clone and cross-validation take."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from training import RiskClassifier, ShapeError, fit
from training.errors import NotEnoughData

SMALL = {"trees": 30, "min_rows_in_leaf": 20, "learning_rate": 0.1, "l2": 1.0, "feature_fraction": 1.0}


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(1500, 3)), columns=["missed_90d", "attended_90d", "own_score"])
    frame.loc[rng.random(1500) < 0.1, "own_score"] = np.nan
    risk = 1 / (1 + np.exp(1 - frame["missed_90d"] - frame["own_score"].fillna(0)))
    return frame, (rng.random(1500) < risk).astype(int)


def test_it_follows_the_rules_of_scikit_learn():
    """Without a calibration slice, because the checks fit on a few rows, and with leaves of one row."""
    estimator = RiskClassifier(trees=20, min_rows_in_leaf=1, learning_rate=0.3, l2=0.0, calibration_share=0.0)
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed == {}
    assert sum(r["status"] == "passed" for r in results) > 30


def test_a_frame_goes_in_and_calibrated_probabilities_come_out(people):
    frame, event = people
    model = clone(RiskClassifier(**SMALL)).fit(frame[:1000], event[:1000])
    assert model.get_params()["trees"] == 30 and model.classes_.tolist() == [0, 1]
    found = model.predict_proba(frame[1000:])
    assert found.sum(axis=1) == pytest.approx(np.ones(500))
    assert roc_auc_score(event[1000:], found[:, 1]) > 0.75
    assert found[:, 1].mean() == pytest.approx(event[1000:].mean(), abs=0.06)
    assert cross_val_score(RiskClassifier(**SMALL), frame, event, cv=2, scoring="roc_auc").min() > 0.7


def test_medically_certain_directions_hold_by_name(people):
    frame, event = people
    model = RiskClassifier(**SMALL).fit(frame, 1 - event)  # turned round: fewer missed contacts, more events
    rows = pd.concat([frame[:1]] * 50, ignore_index=True).assign(missed_90d=np.linspace(-2, 2, 50))
    assert (np.diff(model.predict_proba(rows)[:, 1]) >= 0).all(), "missed contacts never lower the risk"


def test_nobody_is_in_both_slices_where_groups_name_the_people(people):
    frame, _ = people
    person = np.repeat(np.arange(500), 3)
    kept = ~RiskClassifier(**SMALL)._train_rows(frame.to_numpy(), person)
    assert kept.sum() == 300 and not set(person[kept]) & set(person[~kept])


def test_an_explanation_adds_up_to_the_logit(people):
    frame, event = people
    model = RiskClassifier(**SMALL).fit(frame, event)
    found = model.explain(frame[:20])
    risk = model.predict_proba(frame[:20])[:, 1]
    assert found.feature_names == [*frame.columns, "horizon_days"]
    assert found.values.sum(axis=1) + found.base_values == pytest.approx(np.log(risk / (1 - risk)), abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0] * 1500, ShapeError, "only one class is present"),
        ([0, 1, 2] * 500, ShapeError, "3 classes are in y"),
        ([1] + [0] * 1499, NotEnoughData, "hold one class alone"),
    ],
)
def test_labels_that_nothing_can_be_learned_from_are_refused(people, labels, error, message):
    with pytest.raises(error, match=message):
        RiskClassifier(**SMALL).fit(people[0], np.array(labels))


def test_a_fitted_model_reads_a_frame_and_explains_it(people):
    frame, event = people
    frame = frame.drop(columns="own_score").astype(np.float32)
    labels = pd.DataFrame({"admission_28": event.astype(float), "admission_90": 1.0})
    labels.loc[::2, "admission_90"] = np.maximum(event[::2], 0)
    train = np.arange(len(frame)) < 1000
    fitted = fit(frame, labels, train, ~train, {"admission": (28, 90)})
    risk = fitted.probabilities(frame)["admission"][:, 1]
    assert np.array_equal(risk, fitted.probabilities(frame.to_numpy())["admission"][:, 1])
    found = fitted.explain(frame, "admission", 90)
    assert found.values.sum(axis=1) + found.base_values == pytest.approx(np.log(risk / (1 - risk)), abs=1e-9)
    with pytest.raises(ShapeError, match="same names in another order"):
        fitted.probabilities(frame[frame.columns[::-1]])
    with pytest.raises(ShapeError, match="admission at 7 days is not in this model; it has admission at 28, 90 days"):
        fitted.explain(frame, "admission", 7)
