"""Nobody knows more than the oracle: it beats the model, the logistic control and every simple rule; and a model of shuffled labels knows nothing."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics
from sklearn.metrics import roc_auc_score as auroc

from features import CATALOGUE
from training.fit import fit, lightgbm_parameters, raw_margins, stacked_rows
from training.run import score_test_rows, scorer

pytestmark = pytest.mark.slow

PAIRS = ("admission_90", "disengagement_90")
ROWS, DRAWS = 1200, 80


def log_loss(happened: np.ndarray, risk: np.ndarray) -> float:
    return float(
        metrics.log_loss(happened, np.clip(risk, 1e-3, 1 - 1e-3))
    )  # a share of 80 draws is often 0: nobody is certain


@pytest.fixture(scope="module")
def contenders(ready, oracle_settings):
    """Everything that is compared in an evaluation, by name, with its score of each pair; scores of probabilities by themselves."""
    fitted = fit(
        ready.matrix,
        ready.labels,
        ready.split.train,
        ready.split.calibration,
        oracle_settings.outcomes.horizons,
        oracle_settings.training,
    )
    return score_test_rows(ready, scorer(ready, fitted, oracle_settings.controls))


@pytest.fixture(scope="module")
def test_rows(ready):
    later = np.flatnonzero(ready.split.test)
    return np.sort(np.random.default_rng(5).choice(later, min(ROWS, len(later)), replace=False))


@pytest.fixture(scope="module")
def oracle(trust, ready, test_rows):
    spine = ready.spine.iloc[test_rows].reset_index(drop=True)
    long = trust.truth.risk(spine, {"admission": (90,), "disengagement": (90,)}, draws=DRAWS, seed=2)
    return {f"{o}_{h}": part["probability"].to_numpy() for (o, h), part in long.groupby(["outcome", "horizon"])}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, oracle, happened, contenders, test_rows):
    """Labels, the oracle's risk and everybody else's scores on the same later rows."""
    name = request.param
    label, risk = happened[name][test_rows], oracle[name]
    seen = ~np.isnan(label) & ~np.isnan(risk)
    probabilities = {key: value[test_rows][seen] for key, value in contenders.probabilities(name).items()}
    rules = {key: value[test_rows][seen] for key, value in contenders.simple(name).items()}
    return name, label[seen], risk[seen], probabilities, rules


def test_the_oracle_ranks_better_than_every_contender(pair):
    name, label, risk, probabilities, rules = pair
    if label.sum() < 12:
        pytest.skip(f"{name}: {int(label.sum())} events in these rows are too few to rank anybody by")
    best = auroc(label, risk)
    others = {key: auroc(label, score) for key, score in (probabilities | rules).items()}
    assert len(others) >= 10
    assert best > max(others.values()), f"{name}: oracle {best:.3f}, {others}"


def test_the_oracle_loses_less_than_every_model_that_gives_probabilities(pair):
    name, label, risk, probabilities, _ = pair
    best = log_loss(label, risk)
    others = {key: log_loss(label, score) for key, score in probabilities.items()}
    others["everybody the same"] = log_loss(label, np.full(len(label), label.mean()))
    assert best < min(others.values()), f"{name}: oracle {best:.4f}, {others}"


def test_the_oracle_is_calibrated_where_risk_is_low_and_where_it_is_high(pair):
    """In each third of the oracle's risk as many events happened as it said, within what chance allows (rows of one person share events)."""
    _, label, risk, _, _ = pair
    order = np.argsort(risk, kind="stable")
    for part in np.array_split(order, 3):
        expected = risk[part].mean()
        error = 2.0 * np.sqrt(max(expected, 0.003) / len(part))
        assert abs(label[part].mean() - expected) < 2.6 * error + 0.003


def test_a_model_of_shuffled_labels_is_at_chance(ready, oracle_settings, happened):
    """The same features, settings and slices, and labels dealt out at random: whatever it still knew would be a leak."""
    labels = ready.labels.iloc[np.random.default_rng(8).permutation(len(ready.labels))].reset_index(drop=True)
    test = np.flatnonzero(ready.split.test)
    values = np.ascontiguousarray(ready.matrix.values[test])
    for name in PAIRS:
        horizon = int(name.split("_")[1])
        # Not through ``fit``: its calibration rightly refuses a model whose margins go against the outcome.
        parameters = lightgbm_parameters(oracle_settings.training, [CATALOGUE[n] for n in ready.matrix.names])
        columns = labels[[name]].to_numpy(dtype=float)
        booster = lightgbm.train(
            parameters,
            lightgbm.Dataset(*stacked_rows(ready.matrix.values, columns, ready.split.train, [horizon])),
            60,
        )
        risk = expit(raw_margins(booster, values, [horizon], 2)[:, 0])
        dealt, real = labels[name].to_numpy()[test], happened[name][test]
        here, there = ~np.isnan(dealt), ~np.isnan(real)
        assert 0.42 < auroc(dealt[here], risk[here]) < 0.58
        assert 0.3 < auroc(real[there], risk[there]) < 0.7
        base = np.full(int(here.sum()), dealt[here].mean())
        assert log_loss(dealt[here], risk[here]) > log_loss(dealt[here], base) - 1e-3
