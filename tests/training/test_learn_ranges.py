"""The factors of the ranges are learned from true risks: what is planted is found, and the same seeds give the same
factors again."""

import numpy as np
import pandas as pd
import pytest

from models.ranges import LEVEL, RangeFactor
from training import learn_ranges
from training.errors import NotEnoughData
from training.judge_ranges import judge
from training.learn_ranges import FUTURES, MORE_FUTURES, SimulatedRisks, count_futures, learn, learn_all
from training.settings import Settings
from training.simulator import World
from training.statistics.true_risks import below, distances

SPREAD = 0.3


def planted(seed, shift=-0.4, hidden=0.9, rows=1500):
    """Rows whose true risks lie about the model's plus ``shift`` on the logit, ``hidden`` apart."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-3.0, 0.8, rows)
    width = np.hypot(SPREAD, hidden)
    true = 1 / (1 + np.exp(-(logit + shift + width * rng.normal(size=rows))))
    happened = rng.binomial(FUTURES, true).astype(float)
    return SimulatedRisks(logit, np.full(rows, SPREAD), happened, np.full(rows, FUTURES))


def test_the_shift_and_the_hidden_part_that_were_planted_are_learned():
    factor = learn([planted(1), planted(2)], 90)
    assert factor.shift == pytest.approx(-0.4, abs=0.08)
    assert np.exp(factor.log_hidden) == pytest.approx(0.9, abs=0.08)
    assert factor.horizon == 90


def test_the_range_then_holds_nine_true_risks_in_ten_of_other_people():
    factor = learn([planted(1), planted(2)], 90)
    others = planted(3)
    low, high = factor.bounds(others.logit, others.spread)
    posterior = distances(others.logit, others.happened, FUTURES)
    held = (below(posterior, high - others.logit) - below(posterior, low - others.logit)).mean()
    assert held == pytest.approx(LEVEL, abs=0.02)


def test_trusts_that_differ_make_the_range_wider():
    """The shift of the calibration differs from trust to trust, and nobody knows that of the next one."""
    alike = learn([planted(1), planted(2)], 90)
    apart = learn([planted(1, shift=-1.2), planted(2, shift=0.4)], 90)
    assert apart.log_hidden > alike.log_hidden + 0.1


def test_a_slope_that_differs_from_trust_to_trust_is_taken_for_chance():
    assert learn_ranges._shrunk([0.5, -0.5, 0.5, -0.5]) == 0
    assert learn_ranges._shrunk([0.5, 0.51, 0.49]) == pytest.approx(0.5, abs=0.01)
    assert 0 < learn_ranges._shrunk([0.1, 0.5, 0.6]) < 0.4


@pytest.mark.parametrize("outside", [0.5, -0.1])
def test_where_no_reach_leaves_the_right_share_outside_more_trusts_are_asked_for(outside):
    with pytest.raises(NotEnoughData, match="more or larger trusts"):
        learn_ranges._reach(lambda _: outside)


SMALL = {
    "outcomes": {"horizons": {"admission": (90,)}},
    "training": {"trees": 60, "min_rows_in_leaf": 50, "range_refits": 4, "fewest_calibration_events": 1},
    "promotion": {"headline": ["admission_90"]},
}


class FewRisks:
    """Three people: one without risk in the first futures, one at even odds, one absent."""

    def __init__(self):
        self.asked = []

    def risk(self, spine, outcomes, draws, seed):
        self.asked.append((list(spine["patient_id"]), draws, seed))
        by_person = {"a": 0.0 if draws == FUTURES else 0.001, "b": 0.5, "c": np.nan}
        risk = spine["patient_id"].map(by_person)
        return spine.assign(outcome="new_disengagement", horizon=180, probability=risk)


def test_rows_without_an_event_in_the_first_futures_have_more():
    truth, spine = FewRisks(), pd.DataFrame({"patient_id": ["a", "b", "c"], "as_of": "2025-01-06"})
    first, all_of_them = count_futures(truth, spine, {"disengagement": (180,)}, seed=3)
    assert truth.asked == [(["a", "b", "c"], FUTURES, 3), (["a"], MORE_FUTURES, 4)]
    assert [found.tolist() for found in first["disengagement", 180]] == [[0, 100, 0], [200, 200, 0]]
    assert [found.tolist() for found in all_of_them["disengagement", 180]] == [[2, 100, 0], [2200, 200, 0]]


def test_ranges_are_judged_on_a_trust_by_few_futures_and_by_enough(monkeypatch):
    monkeypatch.setattr(learn_ranges, "FUTURES", 40)
    monkeypatch.setattr(learn_ranges, "MORE_FUTURES", 60)
    settings = Settings.model_validate({**SMALL, "evaluation": {"bootstrap_draws": 10}})
    found = judge(200, 3, World(), settings)
    assert list(found) == ["admission_90"]
    assert found["admission_90"]["rows"] > 100
    held, less = (found["admission_90"][name] for name in ("held", "held_by_few_futures"))
    assert 0 < held["low"] <= held["value"] <= held["high"] <= 1
    assert held != less


def test_the_same_seeds_give_the_same_factors(monkeypatch):
    monkeypatch.setattr(learn_ranges, "FUTURES", 40)
    monkeypatch.setattr(learn_ranges, "MORE_FUTURES", 60)
    settings = Settings.model_validate(SMALL)
    one, other = (learn_all(400, {3: World()}, settings) for _ in range(2))
    assert one.equals(other)
    assert list(one.columns) == ["outcome", *RangeFactor.model_fields, "people", "learned_on"]
    assert 200 < one["people"].item() <= 400
    RangeFactor.model_validate(one[list(RangeFactor.model_fields)].to_dict("records")[0])
