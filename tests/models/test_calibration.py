"""Affine calibration: the maximum of the likelihood, in order, and only where the data allow one."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Calibration, CalibrationError, fit_calibration
from models.calibration import sigmoid
from tests.examples import examples


def draw(slope, offsets, rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    horizon = np.repeat([28.0, 90.0, 180.0][: len(offsets)], rows)
    margin = rng.normal(-1, 1.5, size=len(horizon))
    p = sigmoid(slope * margin + np.repeat(offsets, rows))
    return margin, (rng.random(len(p)) < p).astype(float), horizon


def log_likelihood(calibration, margin, label, horizon):
    logit = calibration.slope * margin + np.asarray(calibration.offsets)[np.searchsorted(calibration.horizons, horizon)]
    return np.sum(label * logit - np.logaddexp(0, logit))


def test_slope_and_offsets_of_made_up_margins_are_recovered():
    found = fit_calibration(*draw(1.4, [-0.5, 0.1, 0.4], rows=40_000))
    assert found.horizons == (28, 90, 180)
    assert found.slope == pytest.approx(1.4, abs=0.03)
    assert found.offsets == pytest.approx((-0.5, 0.1, 0.4), abs=0.05)


def test_equals_an_unpenalised_logistic_regression():
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is in the training extra")
    margin, label, horizon = draw(0.8, [-0.5, 0.1, 0.4])
    design = np.column_stack([margin, *(horizon == h for h in (28, 90, 180))])
    peer = linear_model.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(design, label)
    found = fit_calibration(margin, label, horizon)
    assert (found.slope, *found.offsets) == pytest.approx(tuple(peer.coef_[0]), abs=1e-5)


@pytest.mark.parametrize("planted", [[0.4, 0.1, -0.5], [0.0, 0.5, 0.2], [0.3, -0.2, 0.6]])
def test_offsets_that_would_fall_are_tied_at_the_best_point_in_order(planted):
    data = draw(1.0, planted, rows=2000)
    found = fit_calibration(*data)
    assert list(found.offsets) == sorted(found.offsets)
    best = log_likelihood(found, *data)
    rng = np.random.default_rng(0)
    for _ in range(300):  # no ordered neighbour is better
        near = np.sort(np.asarray(found.offsets) + rng.normal(0, 0.05, 3))
        other = Calibration(found.horizons, found.slope + rng.normal(0, 0.02), tuple(near))
        assert log_likelihood(other, *data) <= best + 1e-9


def test_a_row_of_weight_three_counts_as_three_rows():
    margin, label, horizon = draw(1.0, [0.0, 0.5], rows=500)
    times = np.random.default_rng(1).integers(1, 4, len(label))
    weighted = fit_calibration(margin, label, horizon, times)
    written_out = fit_calibration(*(np.repeat(column, times) for column in (margin, label, horizon)))
    assert (weighted.slope, *weighted.offsets) == pytest.approx((written_out.slope, *written_out.offsets), abs=1e-8)
    assert fit_calibration(margin, label, horizon, np.ones(len(label))) == fit_calibration(margin, label, horizon)


@pytest.mark.parametrize("wrong", [[1.0], [0.0] * 1000, [np.nan] * 1000])
def test_a_weight_that_is_none_is_refused(wrong):
    with pytest.raises(CalibrationError, match="one finite weight above 0"):
        fit_calibration(*draw(1.0, [0.0, 0.5], rows=500), wrong)


def test_censored_labels_are_left_out():
    margin, label, horizon = draw(1.0, [0.0, 0.5])
    censored = np.concatenate([label, [np.nan] * 50])
    found = fit_calibration(np.r_[margin, np.full(50, 99.0)], censored, np.r_[horizon, np.full(50, 90.0)])
    assert found == fit_calibration(margin, label, horizon)


@settings(max_examples=examples(12), deadline=None)
@given(st.floats(0.05, 20), st.floats(-30, 30))
def test_rescaled_margins_give_the_same_probabilities(scale, shift):
    margin, label, horizon = draw(1.0, [-0.2, 0.3], rows=300)
    once, again = fit_calibration(margin, label, horizon), fit_calibration(margin * scale + shift, label, horizon)
    table = np.column_stack([margin[:300], margin[:300]])
    np.testing.assert_allclose(once.probability(table), again.probability(table * scale + shift), atol=1e-6)


@pytest.mark.parametrize(
    ("margin", "label", "horizon", "says"),
    [
        ([1, 2, 3, 4], [1, 1, 0, 0], [90] * 4, "completely"),
        ([1, 2, 3, 4, 5, 6], [1, 0, 1, 1, 0, 0], [90] * 6, "fewer events"),
        ([1, 2, 3], [0, 0, 0], [90] * 3, "90 days: 0 events in 3 rows"),
        ([1, 2], [np.nan, np.nan], [90] * 2, "0 horizons with known labels"),
        ([1, 1, 1, 1], [0, 1, 0, 1], [90] * 4, "all margins are the same"),
        ([1, np.inf], [0, 1], [90] * 2, "finite"),
        ([1, 2], [0, 2], [90] * 2, "0, 1 or missing"),
        ([1, 2], [0], [90] * 2, "one of each for every row"),
    ],
)
def test_labels_that_cannot_be_calibrated_are_refused(margin, label, horizon, says):
    with pytest.raises(CalibrationError, match=says):
        fit_calibration(margin, label, horizon)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (((28, 90), 0.0, (0, 1)), "expected above 0"),
        (((28, 90), 1.0, (1, 0)), "fall as the horizon grows"),
        (((90, 28), 1.0, (0, 1)), "rising"),
        (((28, 90), 1.0, (0,)), "one offset for each"),
        (((28,), float("nan"), (0,)), "not a finite"),
    ],
)
def test_a_calibration_that_breaks_a_rule_cannot_exist(values, says):
    with pytest.raises(CalibrationError, match=says):
        Calibration(*values)


def test_a_calibration_reads_back_from_its_json():
    once = fit_calibration(*draw(1.1, [-0.2, 0.3]))
    assert Calibration.from_json(json.loads(json.dumps(once.to_json()))) == once
    with pytest.raises(CalibrationError, match="expected horizons, slope and offsets"):
        Calibration.from_json({"slope": 1.0})


def test_the_logistic_function_neither_overflows_nor_falls():
    x = np.concatenate([np.linspace(-800, 800, 100_001), np.linspace(-1e-6, 1e-6, 10_001)])
    p = sigmoid(np.sort(x))
    assert np.all(np.diff(p) >= 0)
    assert (p[0], p[-1]) == (0.0, 1.0)
