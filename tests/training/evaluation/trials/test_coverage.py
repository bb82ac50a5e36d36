"""Coverage of ranges where the truth is known: everybody, the highest twentieth, groups."""

import numpy as np
import pytest

from training.evaluation.fairness.groups import UNKNOWN, Partition
from training.evaluation.trials.coverage import figures
from training.statistics.resampling import Draws

ROWS, FUTURES = 2000, 200


def logistic(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def world():
    """True risks lie 0.8 about the estimate; for one group, twice as far."""
    rng = np.random.default_rng(3)
    logit, group = rng.normal(-2.5, 0.8, ROWS), np.arange(ROWS) % 5 == 0
    true = logistic(logit + np.where(group, 1.6, 0.8) * rng.normal(size=ROWS))
    return logit, group, rng.binomial(FUTURES, true) / FUTURES


def coverage(world, width, **changes):
    logit, group, true = world
    names = np.where(group, "far", "near").astype(object)
    few = np.array([UNKNOWN] * ROWS, dtype=object)
    few[:20] = "a handful"
    asked = {
        "risk": logistic(logit),
        "ends": (logistic(logit - width), logistic(logit + width)),
        "true": true,
        "weight": np.ones(ROWS),
        "futures": FUTURES,
        "draws": Draws.of(np.arange(ROWS), 50, 0),
        "unseen": np.arange(ROWS) < 400,
        "groups": (Partition("distance", "Distance", names), Partition("rare", "Rare", few)),
    }
    return figures(**{**asked, **changes})


def test_a_range_holds_its_planned_share_and_less_if_people_differ_more(world):
    found = coverage(world, 1.645 * 0.8)
    assert found["held"]["value"] == pytest.approx(0.8 * 0.9 + 0.2 * 0.59, abs=0.04)
    assert found["held"]["low"] < found["held"]["value"] < found["held"]["high"]
    assert (found["worst_group"]["group"], found["worst_group"]["level"]) == ("Distance", "far")
    assert found["worst_group"]["held"]["value"] < found["held"]["value"] - 0.1
    assert found["groups"] == 2  # a handful of people is no group to judge


def test_a_narrow_range_holds_few_and_a_wide_one_nearly_all(world):
    narrow, wide = (coverage(world, width)["held"]["value"] for width in (0.2, 6.0))
    assert narrow < 0.35 and wide > 0.98


def test_rows_of_absent_people_are_left_out(world):
    _, _, true = world
    gone = true.copy()
    gone[: ROWS // 2] = np.nan
    assert coverage(world, 1.0, true=gone)["rows"] == ROWS // 2
    assert coverage(world, 1.0, true=np.full(ROWS, np.nan)) is None
