"""The factors of the ranges are learned from true risks: what is planted is found, and the same seeds give the same
factors again."""

import numpy as np
import pytest

from models.ranges import LEVEL, RangeFactor
from training import learn_ranges
from training.errors import NotEnoughData
from training.learn_ranges import FUTURES, SimulatedRisks, learn, learn_all
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
    return SimulatedRisks(logit, np.full(rows, SPREAD), rng.binomial(FUTURES, true).astype(float))


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


def test_the_same_seeds_give_the_same_factors(monkeypatch):
    monkeypatch.setattr(learn_ranges, "FUTURES", 40)
    settings = Settings.model_validate(
        {
            "outcomes": {"horizons": {"admission": (90,)}},
            "training": {"trees": 60, "min_rows_in_leaf": 50, "range_refits": 4, "fewest_calibration_events": 1},
            "promotion": {"headline": ["admission_90"]},
        }
    )
    one, other = (learn_all(400, {3: World()}, settings) for _ in range(2))
    assert one.equals(other)
    assert list(one.columns) == ["outcome", *RangeFactor.model_fields, "people", "learned_on"]
    assert 200 < one["people"].item() <= 400
    RangeFactor.model_validate(one[list(RangeFactor.model_fields)].to_dict("records")[0])
