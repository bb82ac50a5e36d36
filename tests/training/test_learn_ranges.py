"""The factors of the ranges are learned from true risks: what is planted is found, and the same seeds give the same
factors again."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.ranges import LEVEL, RangeFactor
from training import learn_ranges
from training.errors import NotEnoughData
from training.judge_ranges import judge
from training.learn_ranges import FUTURES, MORE_FUTURES, WORTH, SimulatedRisks, count_futures, learn, learn_all
from training.settings import Settings
from training.simulator import World
from training.statistics.true_risks import below, distances

SPREAD, MANY = 0.3, 1000
SLOPES = ("shift_slope", "log_hidden_slope")


def planted(seed, shift=-0.4, hidden=0.9, rows=1500, shift_slope=0.0, log_hidden_slope=0.0):
    """Rows whose true risks lie about the model's plus ``shift`` on the logit, ``hidden`` apart, at a risk of -3; both
    change with the risk by their slopes."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-3.0, 0.8, rows)
    width = np.hypot(SPREAD, hidden * np.exp(log_hidden_slope * (logit + 3.0)))
    true = 1 / (1 + np.exp(-(logit + shift + shift_slope * (logit + 3.0) + width * rng.normal(size=rows))))
    happened = rng.binomial(MANY, true).astype(float)
    return SimulatedRisks(logit, np.full(rows, SPREAD), happened, np.full(rows, MANY))


def test_the_shift_and_the_hidden_part_that_were_planted_are_learned():
    factor = learn([planted(1), planted(2)], 90)
    assert factor.shift == pytest.approx(-0.4, abs=0.08)
    assert np.exp(factor.log_hidden) == pytest.approx(0.9, abs=0.08)
    assert factor.horizon == 90


def test_the_range_then_holds_nine_true_risks_in_ten_of_other_people():
    factor = learn([planted(1), planted(2)], 90)
    others = planted(3, rows=6000)
    low, high = factor.bounds(others.logit, others.spread)
    posterior = distances(others.logit, others.happened, MANY)
    held = (below(posterior, high - others.logit) - below(posterior, low - others.logit)).mean()
    assert held == pytest.approx(LEVEL, abs=0.02)


def test_trusts_that_differ_make_the_range_wider():
    """The shift of the calibration differs from trust to trust, and nobody knows that of the next one."""
    alike = learn([planted(1), planted(2)], 90)
    apart = learn([planted(1, shift=-1.2), planted(2, shift=0.4)], 90)
    assert apart.log_hidden > alike.log_hidden + 0.1


@pytest.mark.parametrize("slopes", [(0.0, 0.0), (0.5, 0.0), (0.0, -0.2), (0.4, -0.2)])
def test_slopes_that_were_planted_are_learned_and_ranges_hold_at_low_and_at_high_risks(slopes):
    shift_slope, log_hidden_slope = slopes
    factor = learn([planted(seed, rows=2500, **dict(zip(SLOPES, slopes, strict=True))) for seed in (1, 2)], 90)
    assert factor.shift_slope == pytest.approx(shift_slope, abs=0.12)
    assert factor.log_hidden_slope == pytest.approx(log_hidden_slope, abs=0.12)
    others = planted(3, rows=6000, shift_slope=shift_slope, log_hidden_slope=log_hidden_slope)
    low, high = factor.bounds(others.logit, others.spread)
    posterior = distances(others.logit, others.happened, MANY)
    held = below(posterior, high - others.logit) - below(posterior, low - others.logit)
    for rows in np.array_split(np.argsort(others.logit), 4):
        assert held[rows].mean() == pytest.approx(LEVEL, abs=0.05)


@pytest.mark.parametrize("outside", [0.5, -0.1])
def test_where_no_reach_leaves_the_right_share_outside_more_trusts_are_asked_for(outside):
    with pytest.raises(NotEnoughData, match="more or larger trusts"):
        learn_ranges._reach(lambda _: outside)


SMALL = {
    "outcomes": {"horizons": {"admission": (90,)}},
    "training": {"trees": 60, "min_rows_in_leaf": 50, "range_refits": 4, "fewest_calibration_events": 1},
    "promotion": {"headline": ["admission_90"]},
}


def few_risks(asked):
    """Three people: one without a disengagement in the first futures, one at even odds, one absent."""

    def risks(truth, spine, outcomes, particles, futures, seed, *, known):
        asked.append((list(spine["patient_id"]), outcomes, futures, seed))
        by_person = {"a": 0.0 if futures < 500 else 0.01, "b": 0.5, "c": np.nan}
        tables = [
            spine.assign(outcome=outcome, horizon=horizon, probability=spine["patient_id"].map(by_person))
            for outcome, days in outcomes.items()
            for horizon in days
        ]
        return SimpleNamespace(risks=pd.concat(tables))

    return risks


def test_rows_without_an_event_in_the_first_futures_have_more_and_more_again(monkeypatch):
    asked = []
    monkeypatch.setattr(learn_ranges, "filtered_risk", few_risks(asked))
    spine = pd.DataFrame({"patient_id": ["a", "b", "c"], "as_of": "2025-01-06"})
    found = count_futures(None, spine, {"admission": (90,), "disengagement": (180,)}, seed=3)
    both, one = {"admission": (90,), "new_disengagement": (180,)}, {"new_disengagement": (180,)}
    assert asked == [
        (["a", "b", "c"], both, FUTURES, 3),
        (["a"], one, MORE_FUTURES[0], 1003),
        (["a"], one, MORE_FUTURES[1], 2003),
    ]
    assert [part.tolist() for part in found["disengagement", 180]] == [[7, 50, 0], [1000, 100, 0]]
    happened, futures = found["admission", 90]
    assert happened.tolist() == [WORTH, WORTH, 0]
    assert futures[1] == 2 * WORTH and futures[2] == 0


def test_ranges_are_judged_on_a_trust(monkeypatch):
    monkeypatch.setattr(learn_ranges, "FUTURES", 40)
    settings = Settings.model_validate({**SMALL, "evaluation": {"bootstrap_draws": 10}})
    found = judge(200, 120, 3, World(), settings)
    assert list(found) == ["admission_90"]
    assert found["admission_90"]["rows"] > 90
    held = found["admission_90"]["held"]
    assert 0 < held["low"] <= held["value"] <= held["high"] <= 1


def test_the_same_seeds_give_the_same_factors(monkeypatch):
    monkeypatch.setattr(learn_ranges, "FUTURES", 40)
    settings = Settings.model_validate(SMALL)
    one, other = (learn_all(300, 220, {3: World()}, settings) for _ in range(2))
    assert one.equals(other)
    assert list(one.columns) == ["outcome", *RangeFactor.model_fields, "people", "learned_on"]
    assert 150 < one["people"].item() <= 220
    RangeFactor.model_validate(one[list(RangeFactor.model_fields)].to_dict("records")[0])
