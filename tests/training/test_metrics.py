"""Figures of merit, against scikit-learn and against small sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.evaluation.metrics import Listing, Scored, difference, draws, estimate, logistic_line, top_of_lists


@settings(max_examples=80, deadline=None)
@given(st.integers(3, 60), st.integers(0, 10_000), st.booleans())
def test_ranking_figures_equal_scikit_learn_with_weights_and_ties(rows, seed, ties):
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.4).astype(float)
    label[:2] = [0, 1]
    score = rng.integers(0, 4, rows) / 4 if ties else rng.random(rows)
    weight = rng.integers(0, 3, rows).astype(float)
    weight[:2] = 1
    scored = Scored(label, score)
    assert scored.auroc(weight) == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    assert scored.average_precision(weight) == pytest.approx(
        average_precision_score(label, score, sample_weight=weight)
    )
    assert scored.brier(weight) == pytest.approx(brier_score_loss(label, score, sample_weight=weight))
    held = np.clip(score, 1e-6, 1 - 1e-6)
    assert Scored(label, held).log_loss(weight) == pytest.approx(log_loss(label, held, sample_weight=weight))
    share = np.average(label, weights=weight)
    useless = brier_score_loss(label, np.full(rows, share), sample_weight=weight)
    assert scored.scaled_brier(weight) == pytest.approx(1 - scored.brier(weight) / useless)


def test_a_right_probability_has_slope_1_and_intercept_0_and_one_too_extreme_has_less():
    rng = np.random.default_rng(1)
    logit = rng.normal(-2, 1, 200_000)
    label = (rng.random(200_000) < 1 / (1 + np.exp(-logit))).astype(float)
    weight = np.ones(200_000)
    assert Scored(label, 1 / (1 + np.exp(-logit))).calibration(weight) == pytest.approx((1, 0), abs=0.03)
    assert Scored(label, 1 / (1 + np.exp(-2 * logit))).calibration(weight)[0] == pytest.approx(0.5, abs=0.02)
    assert Scored(label, 1 / (1 + np.exp(-logit))).observed_to_expected(weight) == pytest.approx(1, abs=0.03)


def test_calibration_errors_are_small_where_the_probability_is_right_and_as_large_as_the_shift_where_not():
    rng = np.random.default_rng(5)
    p = rng.uniform(0.1, 0.5, 100_000)
    label = (rng.random(100_000) < p).astype(float)
    weight = np.ones(100_000)
    right, shifted = Scored(label, p).calibration_errors(weight), Scored(label, p + 0.2).calibration_errors(weight)
    assert all(value < 0.02 for value in right.values())
    assert list(shifted.values()) == pytest.approx([0.2, 0.2, 0.2], abs=0.02)
    assert right["e50"] <= right["e90"]


def test_a_weight_of_two_is_two_copies_for_every_figure_of_a_probability():
    rng = np.random.default_rng(6)
    label, score = (rng.random(60) < 0.4).astype(float), rng.random(60)
    weight = rng.integers(0, 3, 60)
    copied = Scored(np.repeat(label, weight), np.repeat(score, weight))
    found = Scored(label, score).probability(weight.astype(float))
    peer = copied.probability(np.ones(weight.sum()))
    for name in ("auroc", "brier", "log_loss", "scaled_brier", "calibration_slope"):
        assert found[name] == pytest.approx(peer[name]), name


def test_net_benefit_is_the_sum_done_by_hand():
    scored = Scored(np.array([1.0, 0, 1, 0, 0]), np.array([0.9, 0.6, 0.1, 0.4, 0.5]))
    # At 0.5 three are reviewed: one event, two without; odds 1: (1 - 2) / 5. At 0.2 four: one event, three without; odds 1/4.
    assert scored.net_benefit(np.ones(5), 0.5) == pytest.approx(-0.2)
    assert scored.net_benefit(np.ones(5), 0.2) == pytest.approx((1 - 3 / 4) / 5)


def test_the_logistic_line_equals_scikit_learn():
    rng = np.random.default_rng(2)
    x = rng.normal(size=500)
    y = (rng.random(500) < 1 / (1 + np.exp(1 - 0.7 * x))).astype(float)
    weight = rng.integers(1, 4, 500).astype(float)
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y, sample_weight=weight)
    assert logistic_line(x, y, weight) == pytest.approx((peer.coef_[0, 0], peer.intercept_[0]), abs=1e-5)


def test_without_events_nothing_is_claimed():
    scored = Scored(np.zeros(5), np.arange(5.0) / 10)
    weight = np.ones(5)
    assert np.isnan([scored.auroc(weight), scored.average_precision(weight), *scored.calibration(weight)]).all()


def test_people_are_drawn_not_rows():
    """A hundred copies of each of 40 people tell no more than one row each: the interval must not shrink."""
    rng = np.random.default_rng(3)
    label, score = (rng.random(40) < 0.5).astype(float), rng.random(40)
    few, many = np.arange(40), np.repeat(np.arange(40), 100)
    resamples = draws(few, 200, seed=0)
    once = estimate(Scored(label, score).auroc, few, resamples)
    copied = estimate(Scored(label[many], score[many]).auroc, many, resamples)
    assert copied.low == pytest.approx(once.low)
    assert copied.high == pytest.approx(once.high)


def test_a_difference_is_paired():
    rng = np.random.default_rng(4)
    label, score = (rng.random(300) < 0.5).astype(float), rng.random(300)
    people = np.arange(300)
    scored = Scored(label, score)
    same = difference(scored.auroc, scored.auroc, people, draws(people, 50, seed=0))
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_each_team_lists_as_many_as_it_has_slots():
    team = np.array([0, 0, 0, 1, 1, 1, 0, 0])
    day = np.array([1, 1, 1, 1, 1, 1, 2, 2])
    score = np.array([0.1, 0.9, 0.5, 0.3, 0.2, 0.4, 0.0, 0.0])
    listed = top_of_lists(score, team, day, {0: 1, 1: 2})
    assert listed[:6].tolist() == [False, True, False, True, False, True]
    assert listed[6:].sum() == 1  # a tie: one by lot


def test_an_event_counts_once_however_often_the_person_was_listed():
    #                 event 0 seen from three rows, event 1 from one, and a row without an event
    listing = Listing(listed=np.array([True, True, False, False, True]), event=np.array([0, 0, 0, 1, -1]))
    assert listing.captured(np.ones(5)) == 0.5
    assert listing.precision(np.ones(5)) == pytest.approx(2 / 3)
