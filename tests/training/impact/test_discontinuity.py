"""The jump at the line against known truth, a peer, and a sorted line."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.peers import ask
from training.errors import NotEnoughData
from training.impact.checks import density_at_line
from training.impact.discontinuity import jump_at_line, rule_of_thumb

ASK = """
import json, sys
import numpy
from rdrobust import rdrobust
given = {name: numpy.array(values) for name, values in json.load(sys.stdin).items()}
found = rdrobust(**given, c=0, p=1, q=2, h=0.4, b=0.4, kernel="tri", vce="hc1", masspoints="off")
print(json.dumps({"coefficients": numpy.ravel(found.coef).tolist(), "intervals": numpy.asarray(found.ci).tolist()}))
"""


def made(rows: int, jump: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, rows)
    return x, 0.3 + 0.4 * x + 0.5 * x**2 + jump * (x >= 0) + rng.normal(0, 0.3, rows)


def test_a_straight_line_with_a_jump_is_exact():
    x = np.linspace(-1, 1, 201)
    found = jump_at_line(x, 2 + 3 * x + 0.5 * (x >= 0), bandwidth=0.8)
    assert found.conventional == pytest.approx(0.5) and found.robust.value == pytest.approx(0.5)


@pytest.mark.parametrize("jump", [0.0, -0.2])
def test_the_robust_interval_holds_the_truth_as_often_as_it_says(jump):
    held = [jump_at_line(*made(800, jump, seed), bandwidth=0.5).robust.holds(jump) for seed in range(200)]
    assert 0.90 <= np.mean(held) <= 0.99  # 0.95, three standard deviations either way


def test_rows_of_one_person_widen_the_interval():
    x, y = made(600, 0.0, 1)
    alone, copied = jump_at_line(x, y, bandwidth=0.5), np.repeat(np.arange(600), 3)
    clustered = jump_at_line(x[copied], y[copied], copied, 0.5)
    assert clustered.robust.high == pytest.approx(alone.robust.high, rel=0.02)
    assert jump_at_line(x[copied], y[copied], None, 0.5).robust.high < clustered.robust.high


def test_a_bandwidth_follows_from_the_data():
    x, y = made(2000, 0.1, 2)
    assert 0.05 < rule_of_thumb(x, y) <= 1


def test_too_few_rows_say_what_to_do():
    with pytest.raises(NotEnoughData, match="wider bandwidth"):
        jump_at_line(*made(30, 0.1, 1), bandwidth=0.1)


def test_the_density_test_passes_even_data_and_finds_people_moved_over_the_line():
    rng = np.random.default_rng(3)
    even = rng.uniform(-1, 1, 4000)
    assert density_at_line(even, 0.5).ok
    pushed = np.where((even < 0) & (even > -0.1) & (rng.random(4000) < 0.5), -even, even)
    assert not density_at_line(pushed, 0.5).ok


def test_the_density_test_keeps_its_false_alarm_rate():
    wrong = [density_at_line(np.random.default_rng(s).uniform(-1, 1, 2000), 0.5).p < 0.05 for s in range(200)]
    assert np.mean(wrong) <= 0.11


def test_rdrobust_agrees():
    """Same bandwidths, same weights: the estimates are equal. The authors' own package is GPL-3, so it runs only as a
    peer in a process of its own."""
    x, y = made(1500, -0.15, 4)
    theirs = ask("rdrobust", ASK, {"x": x.tolist(), "y": y.tolist()})
    ours = jump_at_line(x, y, bandwidth=0.4)
    assert [ours.conventional, ours.robust.value] == pytest.approx(theirs["coefficients"][:2], abs=1e-8)
    assert [ours.robust.low, ours.robust.high] == pytest.approx(theirs["intervals"][2], abs=1e-8)
