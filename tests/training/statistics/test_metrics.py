"""Metrics, against scikit-learn and against small sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from tests.examples import examples
from training.statistics.metrics import Listing, Scored, top_of_lists
from training.statistics.resampling import Draws, Estimate


def weighted(*weights):
    """Draws in which row n is its own person; the first row of weights is the figure itself."""
    rows = np.asarray(weights, dtype=float)
    return Draws(np.arange(rows.shape[1]), rows)


def alone(rows):
    return weighted(np.ones(rows))


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(3, 60), st.integers(0, 10_000), st.booleans())
def test_ranking_figures_equal_scikit_learn_with_weights_and_ties(rows, seed, ties):
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.4).astype(float)
    label[:2] = [0, 1]
    score = rng.integers(0, 4, rows) / 4 if ties else rng.random(rows)
    weight = rng.integers(0, 3, rows).astype(float)
    weight[:2] = 1
    scored, draws = Scored(label, score), weighted(np.ones(rows), weight)
    ranked = scored.ranking(draws)
    assert ranked["auroc"] == pytest.approx(
        [roc_auc_score(label, score), roc_auc_score(label, score, sample_weight=weight)]
    )
    precision = average_precision_score(label, score, sample_weight=weight)
    assert ranked["average_precision"][1] == pytest.approx(precision)
    assert scored.brier(draws)[1] == pytest.approx(brier_score_loss(label, score, sample_weight=weight))
    held = np.clip(score, 1e-6, 1 - 1e-6)
    assert Scored(label, held).log_loss(draws)[1] == pytest.approx(log_loss(label, held, sample_weight=weight))
    share = np.average(label, weights=weight)
    useless = brier_score_loss(label, np.full(rows, share), sample_weight=weight)
    assert scored.scaled_brier(draws)[1] == pytest.approx(1 - scored.brier(draws)[1] / useless)


def test_a_right_probability_has_slope_1_and_intercept_0_and_one_too_extreme_has_less():
    rng = np.random.default_rng(1)
    logit = rng.normal(-2, 1, 200_000)
    label = (rng.random(200_000) < 1 / (1 + np.exp(-logit))).astype(float)
    right = Scored(label, 1 / (1 + np.exp(-logit))).calibration_line(alone(200_000))
    assert [right[name][0] for name in right] == pytest.approx([1, 0, 0], abs=0.03)
    extreme = Scored(label, 1 / (1 + np.exp(-2 * logit)))
    assert extreme.calibration_line(alone(200_000))["calibration_slope"][0] == pytest.approx(0.5, abs=0.02)
    assert Scored(label, 1 / (1 + np.exp(-logit))).observed_to_expected(alone(200_000)) == pytest.approx(1, abs=0.03)
    halved = Scored(label, 1 / (1 + np.exp(-(logit - 0.7)))).calibration_line(alone(200_000))
    assert halved["calibration_in_the_large"][0] == pytest.approx(0.7, abs=0.03)  # risks too low by 0.7 log odds


def test_calibration_errors_are_small_where_the_probability_is_right_and_as_large_as_the_shift_where_not():
    rng = np.random.default_rng(5)
    p = rng.uniform(0.1, 0.5, 100_000)
    label = (rng.random(100_000) < p).astype(float)
    draws = alone(100_000)
    right, shifted = Scored(label, p).calibration_errors(draws), Scored(label, p + 0.2).calibration_errors(draws)
    assert all(value[0] < 0.02 for value in right.values())
    assert [value[0] for value in shifted.values()] == pytest.approx([0.2, 0.2, 0.2], abs=0.02)
    assert right["e50"][0] <= right["e90"][0]


def test_a_weight_of_two_is_two_copies_for_every_figure_of_a_probability():
    rng = np.random.default_rng(6)
    label, score = (rng.random(60) < 0.4).astype(float), rng.random(60)
    weight = rng.integers(0, 3, 60)
    copied = Scored(np.repeat(label, weight), np.repeat(score, weight))
    found = Scored(label, score).probability(weighted(np.ones(60), weight))
    peer = copied.probability(alone(int(weight.sum())))
    for name in ("auroc", "brier", "log_loss", "scaled_brier", "calibration_slope", "calibration_in_the_large"):
        assert found[name][1] == pytest.approx(peer[name][0], abs=1e-4), name


FIGURES = ("auroc", "average_precision", "brier", "log_loss", "scaled_brier", "observed_to_expected")


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(8, 60), st.integers(0, 10_000))
def test_a_row_that_stands_for_three_rows_is_three_rows_of_its_person_in_every_figure_and_draw(rows, seed):
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 5, rows)
    people[:5] = np.arange(5)
    label, score = (rng.random(rows) < 0.5).astype(float), rng.permutation(rows) / rows + 0.5 / rows
    label[:2] = [0, 1]
    times = rng.integers(1, 4, rows)
    drawn = Draws.of(people, 6, seed)
    short = drawn.standing_for(times.astype(float))
    copied = Draws(np.repeat(people, times), drawn.weights)
    one, peer = Scored(label, score), Scored(np.repeat(label, times), np.repeat(score, times))
    found, slow = one.probability(short), peer.probability(copied)
    for name in FIGURES:
        np.testing.assert_allclose(found[name], slow[name], atol=1e-9, err_msg=name)
    line, slow_line = found["calibration_in_the_large"], slow["calibration_in_the_large"]
    np.testing.assert_allclose(line, slow_line, atol=1e-4)
    team, day = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
    listed = top_of_lists(score, team, day, {0: 3, 1: 5}, each=times.astype(float))
    copies = top_of_lists(*(np.repeat(one, times) for one in (score, team, day)), {0: 3, 1: 5})
    assert listed.tolist() == np.maximum.reduceat(copies, np.cumsum(times) - times).tolist()  # any of its copies
    assert short.where(listed).ratio(label[listed])[0] == pytest.approx(
        np.average(label[listed], weights=times[listed])
    )


def slow_capture(listed, event, each, people, weights):
    """Word for word: an event weighs as its last row (the smallest weight), found as its last listed row."""
    found = total = 0.0
    for number in {int(one) for one in event if one >= 0}:
        mine = [row for row in range(len(event)) if event[row] == number]
        total += weights[people[mine[0]]] * min(each[row] for row in mine)
        held = [each[row] for row in mine if listed[row]]
        found += weights[people[mine[0]]] * min(held, default=0.0)
    return found / total if total else np.nan


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(3, 30), st.integers(0, 10_000))
def test_the_share_of_events_found_equals_a_slow_reading_of_its_definition(rows, seed):
    rng = np.random.default_rng(seed)
    people = np.sort(rng.integers(0, 4, rows))
    event = np.where(rng.random(rows) < 0.6, people, -1)
    listed, each = rng.random(rows) < 0.5, 1 + 3 * rng.random(rows)
    draws = Draws.of(people, 5, seed).standing_for(each)
    found = Listing(listed, event).captured(draws)
    slow = [slow_capture(listed, event, each, people, weights) for weights in draws.weights]
    np.testing.assert_allclose(found, slow)


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(5, 200), st.integers(0, 10_000))
def test_calibration_errors_equal_a_slow_reading_of_their_definition(rows, seed):
    rng = np.random.default_rng(seed)
    p, weight = rng.random(rows), rng.integers(0, 3, rows).astype(float)
    label = (rng.random(rows) < p).astype(float)
    label[0], weight[0] = 1, 1
    each = rng.integers(1, 4, rows).astype(float)
    found = Scored(label, p).calibration_errors(weighted(np.ones(rows), weight).standing_for(each))
    order = np.argsort(p)
    w, q, y = (weight * each)[order], p[order], label[order]
    group = np.minimum((np.cumsum(w) - w / 2) / w.sum() * 20, 19).astype(int)
    kept = [g for g in range(20) if w[group == g].sum() > 0]
    centre = [np.average(q[group == g], weights=w[group == g]) for g in kept]
    share = [np.average(y[group == g], weights=w[group == g]) for g in kept]
    error = np.abs(np.interp(q, centre, share) - q)
    rising = np.argsort(error)
    reached = np.cumsum(w[rising]) / w.sum()
    slow = [np.average(error, weights=w)] + [error[rising][np.searchsorted(reached, at - 1e-12)] for at in (0.5, 0.9)]
    assert [found[name][1] for name in ("ici", "e50", "e90")] == pytest.approx(slow)


def test_net_benefit_is_the_sum_done_by_hand():
    scored = Scored(np.array([1.0, 0, 1, 0, 0]), np.array([0.9, 0.6, 0.1, 0.4, 0.5]))
    # At 0.5 three are reviewed: one event, two without; odds 1: (1 - 2) / 5. At 0.2 four: one event, three without;
    # odds 1/4.
    assert scored.net_benefit(alone(5), 0.5) == pytest.approx(-0.2)
    assert scored.net_benefit(alone(5), 0.2) == pytest.approx((1 - 3 / 4) / 5)


def test_the_calibration_line_equals_a_logistic_regression_of_scikit_learn():
    rng = np.random.default_rng(2)
    x = rng.normal(size=500)
    y = (rng.random(500) < 1 / (1 + np.exp(1 - 0.7 * x))).astype(float)
    weight = rng.integers(1, 4, 500).astype(float)
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y, sample_weight=weight)
    found = Scored(y, 1 / (1 + np.exp(-x))).calibration_line(weighted(np.ones(500), weight))
    assert found["calibration_slope"][1] == pytest.approx(peer.coef_[0, 0], abs=1e-3)
    assert found["calibration_intercept"][1] == pytest.approx(peer.intercept_[0], abs=1e-3)


def test_without_events_no_figure_is_given():
    scored, draws = Scored(np.zeros(5), np.arange(5.0) / 10), alone(5)
    found = {**scored.ranking(draws), **scored.calibration_line(draws), **scored.calibration_errors(draws)}
    assert all(np.isnan(value).all() for value in found.values())
    assert Estimate.of(found["auroc"]).as_dict() == {"value": None, "low": None, "high": None}


def test_the_bootstrap_draws_people_and_not_rows():
    """A hundred copies of each of 40 people hold no more information than one row each, so the interval must not
    shrink."""
    rng = np.random.default_rng(3)
    label, score = (rng.random(40) < 0.5).astype(float), rng.random(40)
    few, many = np.arange(40), np.repeat(np.arange(40), 100)
    once, often = Draws.of(few, 200, seed=0), Draws.of(many, 200, seed=0)
    single = Estimate.of(Scored(label, score).ranking(once)["auroc"])
    copied = Estimate.of(Scored(label[many], score[many]).ranking(often)["auroc"])
    assert (copied.low, copied.high) == pytest.approx((single.low, single.high))


def test_an_interval_is_that_of_a_bootstrap_of_frames():
    """Weights are only a quicker way to resample: the same draws as copied rows give the same figures."""
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(30), 3)
    label, score = (rng.random(90) < 0.4).astype(float), rng.random(90)
    draws = Draws.of(people, 20, seed=0)
    quick = Scored(label, score).ranking(draws)["auroc"]
    for drawn, weights in zip(quick, draws.weights, strict=True):
        rows = np.concatenate([np.repeat(np.flatnonzero(people == p), int(n)) for p, n in enumerate(weights)])
        assert drawn == pytest.approx(roc_auc_score(label[rows], score[rows]))


def test_each_team_lists_as_many_as_it_has_slots():
    team = np.array([0, 0, 0, 1, 1, 1, 0, 0])
    day = np.array([1, 1, 1, 1, 1, 1, 2, 2])
    score = np.array([0.1, 0.9, 0.5, 0.3, 0.2, 0.4, 0.0, 0.0])
    listed = top_of_lists(score, team, day, {0: 1, 1: 2})
    assert listed[:6].tolist() == [False, True, False, True, False, True]
    assert listed[6:].sum() == 1  # a tie: one at random


def test_an_event_counts_once_however_often_the_person_was_listed():
    #                 event 0 seen from three rows, event 1 from one, and a row without an event
    listing = Listing(listed=np.array([True, True, False, False, True]), event=np.array([0, 0, 0, 1, -1]))
    assert listing.captured(alone(5)) == 0.5
    assert listing.precision(alone(5)) == pytest.approx(2 / 3)
