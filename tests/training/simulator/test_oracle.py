"""The oracle ranks best: better than the model, the logistic control and every simple rule. A model of shuffled labels
ranks by chance."""

from __future__ import annotations

from typing import NamedTuple

import lightgbm
import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics
from sklearn.metrics import roc_auc_score as auroc

from features import CATALOGUE
from training.dataset.labels import UNDER_WAY
from training.fitting.boosters import fit, raw_margins
from training.fitting.contenders import score_test_rows, scorer
from training.fitting.stacked import lightgbm_parameters, stacked_rows
from training.statistics.resampling import codes

pytestmark = pytest.mark.slow

PAIRS = ("admission_90", "disengagement_180")
GLANCE, EARLIER, LATER, OTHERS = 10, 25, 100, 700
SEEN = {"admission_90": 0.2, "disengagement_180": 0.0}
"""Disengagements are one row in fifty. The oracle glances at every row in ten futures, then looks closely at every row
before an event, every row where a glance saw more than ``SEEN``, and so many of the rest, at random; each of these then
stands for as many as it was drawn from. Later rows, on which it is ranked against others, are looked at in more futures
than earlier ones, where only the number of events is compared: a share of few futures is as true on average."""
FEWEST = 40


class Asked(NamedTuple):
    """Rows of one pair on which the oracle was asked: place in the spine, label, the oracle's risk, what it saw at a
    glance (other random numbers), how many rows each stands for, and whose it is."""

    name: str
    at: np.ndarray
    label: np.ndarray
    risk: np.ndarray
    glance: np.ndarray
    weight: np.ndarray
    person: np.ndarray

    def where(self, keep: np.ndarray) -> Asked:
        return Asked(self.name, *(part[keep] for part in self[1:]))

    def auroc(self, score: np.ndarray, times: np.ndarray | float = 1.0) -> float:
        return float(auroc(self.label, score, sample_weight=self.weight * times))

    def aurocs(self, score: np.ndarray, times: np.ndarray) -> np.ndarray:
        """``auroc`` for each row of ``times``: the events above the others, ties half, after one sort for all."""
        order = np.argsort(score, kind="stable")
        begins = np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)
        weight, label = (self.weight * times)[:, order], self.label[order]
        events, others = (np.add.reduceat(weight * each, begins, axis=1) for each in (label, 1 - label))
        below = np.cumsum(others, axis=1) - others / 2
        return (events * below).sum(axis=1) / (events.sum(axis=1) * others.sum(axis=1))

    def log_loss(self, risk: np.ndarray) -> float:
        """A share of the draws is often 0: nobody is certain."""
        return float(metrics.log_loss(self.label, np.clip(risk, 1e-3, 1 - 1e-3), sample_weight=self.weight))

    def off(self, times: float = 1.0) -> list[float]:
        """Events less expected where a glance saw none, in up to three futures of ten, and in more: in standard errors
        of whole people. ``times`` is what the risk is multiplied by. Bands by the risk itself would take its own noise
        for a fault."""
        left = self.weight * (self.label - np.minimum(times * self.risk, 1.0))
        found = []
        for band in (self.glance == 0, (self.glance > 0) & (self.glance <= 0.3), self.glance > 0.3):
            by_person = np.bincount(self.person[band], left[band])
            found.append(float(by_person.sum() / np.sqrt((by_person**2).sum())))
        return found


@pytest.fixture(scope="module")
def contenders(ready, oracle_settings):
    """Everything that is compared in an evaluation, by name, with its score of each pair; scores of probabilities by
    themselves."""
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
def oracle(trust, ready, happened):
    """By pair, rows of the whole spine: the oracle learned from none of them."""
    truth, outcomes = trust.truth, {"admission": (90,), "disengagement": (180,)}

    def ask(at, draws, seed):
        long = truth.risk(ready.spine.iloc[at].reset_index(drop=True), outcomes, draws=draws, seed=seed)
        return {name: long.loc[long["outcome"] == name.partition("_")[0], "probability"].to_numpy() for name in PAIRS}

    first = ask(np.arange(len(ready.spine)), GLANCE, 1)
    close = np.any([(happened[name] == 1) | (first[name] > SEEN[name]) for name in PAIRS], axis=0)
    rest = np.flatnonzero(~close)
    some = np.random.default_rng(5).choice(rest, OTHERS, replace=False)
    at = np.sort(np.concatenate([np.flatnonzero(close), some]))
    weight = np.where(close[at], 1.0, len(rest) / OTHERS)
    person = codes(ready.spine["patient_id"].iloc[at])
    later, found = ready.split.test[at], {}
    risks = {name: np.zeros(len(at)) for name in PAIRS}
    for rows, draws in ((later, LATER), (~later, EARLIER)):
        for name, risk in ask(at[rows], draws, 2).items():
            risks[name][rows] = risk
    for name in PAIRS:
        rows = Asked(name, at, happened[name][at], risks[name], first[name][at], weight, person)
        found[name] = rows.where(~np.isnan(rows.label) & ~np.isnan(rows.risk))
    return found


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, oracle, ready, contenders):
    """The later rows of one pair, and everybody else's scores on them: probabilities, and rules."""
    name = request.param
    rows = oracle[name].where(ready.split.test[oracle[name].at])
    assert rows.label.sum() >= FEWEST
    probabilities = {key: value[rows.at] for key, value in contenders.probabilities(name).items()}
    rules = {key: value[rows.at] for key, value in contenders.simple(name).items()}
    assert len(probabilities) == 4 and len(rules) >= 10
    return rows, probabilities, rules


def test_the_oracle_ranks_better_than_every_contender_and_not_by_luck(pair):
    """Better than each, and better than the best of them in at least 39 of 40 draws of people."""
    rows, probabilities, rules = pair
    scores = probabilities | rules
    others = {key: rows.auroc(score) for key, score in scores.items()}
    best = max(others, key=lambda key: others[key])
    assert rows.auroc(rows.risk) > others[best], f"{rows.name}: oracle {rows.auroc(rows.risk):.3f}, {others}"
    rng = np.random.default_rng(6)
    draws = rng.multinomial(
        rows.person.max() + 1, np.full(rows.person.max() + 1, 1 / (rows.person.max() + 1)), size=200
    )
    times = draws[:, rows.person]
    leads = rows.aurocs(rows.risk, times) - rows.aurocs(scores[best], times)
    assert leads[0] == pytest.approx(rows.auroc(rows.risk, times[0]) - rows.auroc(scores[best], times[0]))
    assert np.quantile(leads, 0.025) > 0, f"{rows.name}: over {best} by {np.quantile(leads, [0.025, 0.5, 0.975])}"


def test_the_oracle_loses_less_than_every_model_that_gives_probabilities(pair):
    rows, probabilities, _ = pair
    others = {key: rows.log_loss(risk) for key, risk in probabilities.items()}
    others["everybody the same"] = rows.log_loss(np.full(len(rows.label), np.average(rows.label, weights=rows.weight)))
    assert rows.log_loss(rows.risk) < min(others.values()), f"{rows.name}: oracle {rows.log_loss(rows.risk)}, {others}"


@pytest.mark.parametrize("name", PAIRS)
def test_the_oracle_is_calibrated_where_risk_is_low_and_where_it_is_high(oracle, name):
    """As many events happened as it said, in three bands of risk. The same measure refuses risks that are half or one
    and a half of what they should be."""
    rows = oracle[name]
    assert rows.label.sum() >= 3 * FEWEST
    assert np.abs(rows.off()).max() < 3, rows.off()
    assert np.abs(rows.off(0.5)).max() > 3
    assert np.abs(rows.off(1.5)).max() > 3


def test_a_model_of_shuffled_labels_is_at_chance(ready, oracle_settings, happened):
    """The same features, settings and slices, and labels dealt out at random: whatever it still knew would be a
    leak."""
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
        assert metrics.log_loss(dealt[here], risk[here]) > metrics.log_loss(dealt[here], base) - 1e-3


def test_the_risk_of_a_new_disengagement_is_calibrated_and_discriminates(trust, ready):
    """Of what begins on or after ``as_of``, as a model predicts it: as many as were said, over all rows before such an
    event and others drawn at random, each of which stands for as many as it was drawn from. The risk of any
    disengagement is far too high for them, and the measure says so.
    """
    status = np.asarray(ready.follow_up.new_only().status("disengagement", 180), dtype=str)
    left = np.char.startswith(status, "exit") & (status != UNDER_WAY)
    label = np.select([status == "event", (status == "none") | left], [1.0, 0.0], np.nan)
    before, rest = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    some = np.random.default_rng(3).choice(rest, 1600, replace=False)
    at, weight = np.r_[before, some], np.r_[np.ones(len(before)), np.full(len(some), len(rest) / len(some))]
    assert len(before) >= 3 * FEWEST
    spine = ready.spine.iloc[at].reset_index(drop=True)
    outcomes = {"new_disengagement": (180,), "disengagement": (180,)}
    long = trust.truth.risk(spine, outcomes, draws=40, seed=4)
    new, every = (long.loc[long["outcome"] == name, "probability"].to_numpy() for name in outcomes)
    there = ~np.isnan(new)
    happened, person = label[at][there], codes(spine["patient_id"][there])

    def off(risk: np.ndarray) -> float:
        """Events less expected, in standard errors of whole people."""
        by_person = np.bincount(person, weight[there] * (happened - risk[there]))
        return float(by_person.sum() / np.sqrt((by_person**2).sum()))

    assert abs(off(new)) < 3, off(new)
    assert off(every) < -3, off(every)
    assert abs(off(0.5 * new)) > 3
    assert auroc(happened, new[there], sample_weight=weight[there]) > 0.7
