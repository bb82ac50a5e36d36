"""The permanent controls: a logistic regression and an explainable boosting machine on all features."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from training.fitting.controls.benchmarks import fit_boosting, fit_logistic
from training.settings import ControlSettings

HORIZONS = {"x": (28, 90)}


def curve_rows(rows=3000, seed=0):
    """A risk that is high at both ends of one feature: no straight line can rank it."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 3)).astype(np.float32)
    values[rng.random(rows) < 0.2, 1] = np.nan
    chance = 1 / (1 + np.exp(3 - np.abs(values[:, 0]) * 2))
    short = rng.random(rows) < chance
    longer = short | (rng.random(rows) < chance)
    labels = pd.DataFrame({"x_28": short.astype(float), "x_90": longer.astype(float)})
    return SimpleNamespace(values=values, names=("a", "b", "c")), labels, [f"p{n // 3}" for n in range(rows)]


def test_the_boosting_machine_learns_a_curve_that_the_logistic_regression_cannot():
    matrix, labels, people = curve_rows()
    train = np.arange(3000) < 2000
    machine = fit_boosting(matrix, people, labels, train, HORIZONS, ControlSettings())
    probability = machine.probabilities(matrix.values[~train])
    assert roc_auc_score(labels["x_90"][~train], probability["x_90"]) > 0.7
    line = fit_logistic(matrix, labels, train).probabilities(matrix.values[~train])["x_90"]
    assert roc_auc_score(labels["x_90"][~train], line) < 0.6
    assert (probability["x_90"] >= probability["x_28"]).all()
    for name, found in probability.items():
        assert found.mean() == pytest.approx(labels[name][~train].mean(), rel=0.25)


def test_adding_the_horizon_effect_equals_predicting_at_that_horizon():
    matrix, labels, people = curve_rows()
    fitted = fit_boosting(matrix, people, labels, np.ones(3000, dtype=bool), HORIZONS, ControlSettings())
    for horizon in (28, 90):
        rows = np.column_stack([matrix.values[:50], np.full(50, horizon, dtype=np.float32)])
        expected = fitted.machines["x"].predict_proba(rows)[:, 1]
        np.testing.assert_allclose(fitted.probabilities(matrix.values[:50])[f"x_{horizon}"], expected, atol=1e-9)


def test_the_boosting_machine_sees_no_more_rows_than_it_may_and_repeats_itself():
    matrix, labels, people = curve_rows()
    garbled = labels.copy()
    garbled.loc[2000:] = 1 - garbled.loc[2000:]  # rows outside the training slice: never read
    train = np.arange(3000) < 2000
    few = ControlSettings(boosting_rows=500)
    one = fit_boosting(matrix, people, labels, train, HORIZONS, few).probabilities(matrix.values)["x_90"]
    two = fit_boosting(matrix, people, garbled, train, HORIZONS, few).probabilities(matrix.values)["x_90"]
    np.testing.assert_array_equal(one, two)
    assert (
        fit_boosting(matrix, people, labels, train, HORIZONS, ControlSettings()).probabilities(matrix.values)["x_90"]
        != one
    ).any()


def test_an_outcome_with_too_few_events_has_no_machine_and_the_others_do():
    matrix, labels, people = curve_rows()
    both = labels.rename(columns=lambda name: name.replace("x_", "few_")) * 0
    fitted = fit_boosting(
        matrix,
        people,
        pd.concat([labels, both], axis=1),
        np.ones(3000, dtype=bool),
        {**HORIZONS, "few": HORIZONS["x"]},
        ControlSettings(),
    )
    assert set(fitted.probabilities(matrix.values)) == set(labels.columns)


def test_the_control_learns_from_values_and_from_their_absence():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 3)).astype(np.float32)
    absent = rng.random(4000) < 0.3
    label = (rng.random(4000) < 1 / (1 + np.exp(2 - values[:, 0] - 2 * absent))).astype(float)
    values[absent, 1] = np.nan
    values[:, 2] = np.nan  # never recorded for anyone
    matrix = SimpleNamespace(values=values, names=("a", "b", "c"))
    train = np.arange(4000) < 2000
    control = fit_logistic(matrix, pd.DataFrame({"x_28": label}), train, strength=0.02)
    probability = control.probabilities(values[~train])["x_28"]
    assert roc_auc_score(label[~train], probability) > 0.78
    assert probability.mean() == pytest.approx(label[~train].mean(), rel=0.1)
    nothing_to_learn = pd.DataFrame({"x_28": label, "none_28": np.zeros(4000), "all_28": np.ones(4000)})
    assert set(fit_logistic(matrix, nothing_to_learn, train).probabilities(values)) == {"x_28"}
