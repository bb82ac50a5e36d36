"""Enough data (against published figures), shifted inputs, and horizons that must not cross (with a planted
crossing)."""

import lightgbm
import numpy as np
import pytest

from models.calibration import Calibration
from training.evaluation import drift
from training.evaluation.schema.scores import Figure
from training.evaluation.trials import coherence, sample_size
from training.statistics.resampling import Draws


@pytest.mark.parametrize(
    ("parameters", "prevalence", "auroc", "people"),
    [
        # docs/methods.md section 3, from pmsampsize (which draws its R squared by simulation, hence the
        # tolerance)
        (30, 0.05, 0.80, 4227),
        (60, 0.05, 0.80, 8455),
        (120, 0.05, 0.80, 16910),
        (30, 0.05, 0.70, 10500),
        (30, 0.013, 0.80, 15424),
    ],
)
def test_riley_criteria_give_the_published_sizes(parameters, prevalence, auroc, people):
    assert sample_size.needed(parameters, prevalence, auroc)["people"] == pytest.approx(people, rel=0.03)


def test_a_small_trust_gets_the_number_of_missing_people_and_events():
    few = sample_size.judge(people=800, events=40, parameters=150, prevalence=0.05, auroc=0.75)
    assert not few["enough"]
    assert few["parameters_supported"] < 10
    assert sample_size.judge(people=90_000, events=4500, parameters=60, prevalence=0.05, auroc=0.8)["enough"]
    wide = {
        "calibration_slope": Figure(value=1, low=0.7, high=1.3),
        "observed_to_expected": Figure(value=1, low=0.95, high=1.1),
        "auroc": Figure(value=None),
    }
    assert [w.narrow_enough for w in sample_size.widths(wide).values()] == [False, True, False]


def test_the_stability_index_is_the_sum_done_by_hand_and_sees_what_went_missing():
    before = np.repeat([0.0, 1.0], 500)
    after = np.repeat([0.0, 1.0], [800, 200])
    share = (np.array([500, 0, 500, 0, 0]) + 0.5) / 1002.5, (np.array([800, 0, 200, 0, 0]) + 0.5) / 1002.5
    by_hand = float(((share[1] - share[0]) * np.log(share[1] / share[0])).sum())
    assert drift.index_of(before, after) == pytest.approx(by_hand)
    rng = np.random.default_rng(0)
    same = drift.index_of(rng.normal(size=4000), rng.normal(size=4000))
    gone = rng.normal(size=4000)
    gone[:2000] = np.nan
    assert same < 0.02 < drift.LARGE_SHIFT < drift.index_of(rng.normal(size=4000), gone)


def test_the_most_shifted_feature_is_named_first():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(500, 3)), rng.normal(size=(500, 3))
    after[:, 1] += 2
    people = np.arange(500) // 5
    found = drift.inputs(before, after, ("a", "b", "c"), 0, (people, people + 50), 100)
    assert (found["largest"][0]["feature"], found["largely_shifted"]) == ("b", 1)
    for row in found["largest"]:
        assert row["index"]["value"] == pytest.approx(found["index"][row["feature"]], abs=1e-4)
        assert 0 <= row["index"]["low"] < row["index"]["value"] < row["index"]["high"]
        assert row["missing_before"]["value"] == 0
    # Copies of each row under the same person are no new people: the interval stays as wide, where ten times the
    # people would narrow it.
    again = drift.inputs(
        np.repeat(before, 4, axis=0),
        np.repeat(after, 4, axis=0),
        ("a", "b", "c"),
        0,
        (np.repeat(people, 4), np.repeat(people + 50, 4)),
        100,
    )
    wide, same = ([one["largest"][0]["index"]["high"] - one["largest"][0]["index"]["low"]] for one in (found, again))
    assert same[0] == pytest.approx(wide[0], rel=0.25)


def test_calibration_is_known_only_after_the_horizon_and_the_settling_days():
    label, risk, day = np.ones(20), np.full(20, 0.5), np.repeat([0, 28], [15, 5])
    first, second = drift.calibration_over_time(
        label, risk, day, Draws.of(np.arange(20), 10, 0), horizon=90, settling_days=14
    )
    assert (first["as_of"], first["known_on"]) == ("1970-01-01", "1970-04-15")
    assert first["observed_to_expected"]["value"] == 2
    assert second["observed_to_expected"] is None  # five events are not shown alone
    assert second["so_far"]["value"] == 2


def booster(sign, rows=3000):
    """Trees on one feature and the horizon, whose risk rises (sign 1) or falls (-1) with the horizon."""
    rng = np.random.default_rng(0)
    x, days = rng.normal(size=rows), rng.choice([28.0, 90.0, 180.0], rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-(x + sign * (days - 90) / 60)))).astype(float)
    data = lightgbm.Dataset(np.column_stack([x, days]), y, params={"verbosity": -1})
    return lightgbm.train({"objective": "binary", "num_leaves": 8, "verbosity": -1, "num_threads": 1}, data, 20)


def test_a_planted_crossing_is_found_and_a_rising_model_has_none():
    even = Calibration((28, 90, 180), 1.0, (0.0, 0.0, 0.0))
    fine, crossed = coherence.check(booster(1), even, 5000, 0), coherence.check(booster(-1), even, 5000, 0)
    assert crossed["crossings"] > 4000
    assert crossed["largest_fall"] > 0.1
    assert fine["crossings"] < crossed["crossings"]
    steep = Calibration((28, 90, 180), 1.0, (0.0, 50.0, 100.0))  # offsets that outweigh every tree
    none = coherence.check(booster(-1), steep, 5000, 0)
    assert (none["crossings"], none["share"]["value"], none["share"]["low"]) == (0, 0, 0)
    assert none["share"]["high"] == pytest.approx(1 - 0.025 ** (1 / 5000), rel=1e-4)


def test_the_walk_over_trees_is_that_of_lightgbm(monkeypatch):
    """The fall that the check reports is the fall that LightGBM's own prediction has."""
    model, even = booster(-1), Calibration((28, 180), 1.0, (0.0, 0.0))
    x = np.linspace(-6, 6, 20_001)
    fall = model.predict(np.column_stack([x, np.full(len(x), 28.0)]), raw_score=True) - model.predict(
        np.column_stack([x, np.full(len(x), 180.0)]), raw_score=True
    )
    assert coherence.check(model, even, 200_000, 0)["largest_fall"] == pytest.approx(fall.max(), abs=1e-6)


def test_the_run_has_no_crossing_and_says_what_it_lacks(trained, small_settings):
    evaluation = trained[1].evaluation
    horizons = small_settings.outcomes.horizons
    assert evaluation.coherence.keys() == horizons.keys()
    assert {outcome for outcome, days in horizons.items() if len(days) > 1} == {"admission"}
    for outcome, found in evaluation.coherence.items():
        assert (found.rows, found.crossings) == (small_settings.evaluation.coherence_rows, 0)
        # Trees split on the horizon where there are several; with one horizon there is nothing to split on.
        assert (found.trees_with_the_horizon > 0) == (len(horizons[outcome]) > 1)
    assert evaluation.drift.features > 300
    assert not evaluation.pairs["admission_90"].sample_size.enough
