"""Decision curves against ``dcurves`` (the authors' own package), and what must hold of any: treating none is worth
nothing, and a useless risk no more."""

import numpy as np
import pytest

from tests.training.peers import ask
from training.evaluation import calibration_curves, decision_curves
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws

ASK = """
import json, sys
import numpy, pandas
from dcurves import dca
told = json.load(sys.stdin)
frame = pandas.DataFrame({"y": told["y"], "model": told["p"]})
found = dca(data=frame, outcome="y", modelnames=["model"], thresholds=numpy.array(told["at"]))
curves = {name: part.sort_values("threshold")["net_benefit"] for name, part in found.groupby("model")}
print(json.dumps({name: curve.tolist() for name, curve in curves.items()}))
"""


def people(rows=800, seed=0):
    rng = np.random.default_rng(seed)
    risk = rng.beta(1, 12, rows)
    return (rng.random(rows) < risk).astype(float), risk


def test_net_benefit_equals_dcurves_at_every_threshold():
    label, risk = people()
    found = decision_curves.curves({"model": Scored(label, risk)}, Draws.of(np.arange(len(label)), 0, 0))
    asked = {"y": label.astype(int).tolist(), "p": risk.tolist(), "at": found["thresholds"]}
    peer = ask("dcurves", ASK, asked)
    for ours, theirs in (("model", "model"), ("treat_all", "all")):
        values = [point["value"] for point in found["net_benefit"][ours]]
        np.testing.assert_allclose(values, peer[theirs], atol=1e-5)
    assert set(peer["none"]) == {0.0}


def test_the_best_alternative_is_never_less_than_reviewing_nobody():
    label, risk = people()
    useless = np.full(len(label), label.mean())
    draws = Draws.of(np.arange(len(label)), 50, 0)
    found = decision_curves.curves({"model": Scored(label, useless), "rule": Scored(label, risk)}, draws)
    assert all(point["value"] <= 1e-9 for point in found["model_over_best_alternative"])
    assert found["model_best_between"] is None
    knows = decision_curves.curves({"model": Scored(label, label * 0.9 + 0.001), "rule": Scored(label, risk)}, draws)
    assert knows["model_best_between"][0] < 0.05 < knows["model_best_between"][1]


def test_a_rule_is_put_on_the_scale_of_risk_without_changing_its_order():
    label, risk = people()
    rule = np.floor(risk * 30)
    scaled = decision_curves.as_probability(rule, label)
    order = np.argsort(rule, kind="stable")
    assert (np.diff(scaled[order]) >= 0).all()
    assert scaled.mean() == pytest.approx(label.mean())


def test_the_smooth_curve_follows_the_truth_and_its_band_covers_it():
    label, risk = people(20_000, seed=1)
    draws = Draws.of(np.arange(len(label)), 100, 0)
    curve = calibration_curves.smooth_curve(Scored(label, risk), draws)
    apart = [abs(point["observed"] - point["predicted"]) for point in curve]
    assert max(apart) < 0.03
    covered = [point["observed_low"] <= point["predicted"] <= point["observed_high"] for point in curve]
    assert np.mean(covered) > 0.6
    doubled = calibration_curves.smooth_curve(Scored(label, np.minimum(2 * risk, 1)), draws)
    assert doubled[-5]["observed"] == pytest.approx(doubled[-5]["predicted"] / 2, rel=0.15)


def test_calibration_among_the_listed_is_reported():
    """A risk that is right overall and twice too high among the listed: only calibration among the listed shows it."""
    rng = np.random.default_rng(2)
    listed = np.arange(20_000) < 2000
    true = np.where(listed, 0.1, 0.05)
    label = (rng.random(len(true)) < true).astype(float)
    told = np.where(listed, 0.2, (label[~listed].sum() - 200) / (~listed).sum())
    told = told + rng.normal(0, 1e-4, len(told))
    draws = Draws.of(np.arange(len(true)), 100, 0)
    everyone = Scored(label, told).observed_to_expected(draws)[0]
    found = calibration_curves.among_listed(Scored(label, told), listed, draws)
    assert everyone == pytest.approx(1, abs=0.05)
    assert found["observed_to_expected"]["value"] == pytest.approx(0.5, abs=0.05)
    assert found["observed_to_expected"]["high"] < 0.7
    assert (found["rows"], found["mean_predicted"]["value"]) == (2000, pytest.approx(0.2, abs=0.001))


def test_the_spread_of_risks_is_given_in_percentiles_without_single_rows():
    label, risk = people()
    draws = Draws.of(np.arange(len(label)), 0, 0)
    spread = calibration_curves.risk_distribution(Scored(label, risk), draws)
    assert {len(values) for values in spread.values()} == {5}
    assert np.median(risk[label == 1]) == pytest.approx(spread["event"][2], abs=1e-6)
    times = 1 + np.arange(len(label)) % 3
    weighted = calibration_curves.risk_distribution(Scored(label, risk), draws.standing_for(times.astype(float)))
    copied = np.repeat(risk[label == 1], times[label == 1])
    assert weighted["event"][2] == pytest.approx(np.percentile(copied, 50, method="inverted_cdf"), abs=1e-6)
