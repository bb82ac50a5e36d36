"""Ranges for a fitted model: the spread of refits as a function of the inputs, and the factors that are shipped."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from models.ranges import OutcomeFactors
from training.fitting.boosters import fit
from training.fitting.ranges import ends, fit_ranges, read_factors, rescaled
from training.settings import TrainingSettings

PEOPLE, DATES = 300, 8
SETTINGS = TrainingSettings(
    trees=30, learning_rate=0.1, min_rows_in_leaf=20, l2=1.0, by_outcome={}, range_refits=8, range_rows=1500
)
FEATURES = tuple(SimpleNamespace(name=name, direction=0) for name in ("known", "noise"))


@pytest.fixture(scope="module")
def world():
    """People whose risk follows ``known``; few of them have a high value, so refits differ most there."""
    rng = np.random.default_rng(2)
    people = np.repeat(np.arange(PEOPLE), DATES)
    known = rng.exponential(size=PEOPLE)[people] + 0.1 * rng.normal(size=len(people))
    values = np.column_stack([known, rng.normal(size=len(people))]).astype(np.float32)
    risk = 1 / (1 + np.exp(2.5 - known))
    drawn = rng.random(len(people))
    labels = pd.DataFrame({f"admission_{days}": (drawn < risk * days / 180) * 1.0 for days in (28, 90, 180)})
    matrix = SimpleNamespace(values=values, names=("known", "noise"))
    train = np.tile(np.arange(DATES) < 5, PEOPLE)
    fitted = fit(matrix, labels, train, ~train, {"admission": (28, 90, 180)}, SETTINGS, FEATURES)
    return SimpleNamespace(fitted=fitted, values=values, labels=labels, people=people, train=train)


@pytest.fixture(scope="module")
def ranges(world):
    return fit_ranges(world.fitted, world.values, world.labels, world.people, world.train, SETTINGS)


def test_every_risk_lies_in_its_range(world, ranges):
    risks, found = world.fitted.by_pair(world.values), ends(world.fitted, ranges, world.values)
    assert set(found) == set(risks)
    for name, (low, high) in found.items():
        assert (low <= risks[name] + 1e-12).all() and (risks[name] <= high + 1e-12).all()


def test_a_model_of_fewer_people_has_wider_spreads(world, ranges):
    few = world.train & (world.people < PEOPLE // 5)
    less = fit_ranges(world.fitted, world.values, world.labels, world.people, few, SETTINGS)
    rows = np.column_stack([world.values, np.full(len(world.values), 90.0)])
    wider, narrower = (one.boosters["admission"].predict(rows).mean() for one in (less, ranges))
    assert wider > narrower + 0.3


def test_the_same_data_give_the_same_ranges(world, ranges):
    again = fit_ranges(world.fitted, world.values, world.labels, world.people, world.train, SETTINGS)
    assert again.document == ranges.document
    assert again.boosters["admission"].model_to_string() == ranges.boosters["admission"].model_to_string()


def test_a_model_of_more_events_has_less_spread(world, ranges):
    wider = rescaled(ranges, world.labels, world.train, world.fitted)
    events = (world.labels == 1).to_numpy().sum(axis=1)
    expected = np.sqrt(events[world.train].sum() / events.sum())
    assert wider.document.outcomes["admission"].scale == pytest.approx(expected)
    assert 0.5 < expected < 1


def test_without_refits_there_are_no_ranges(world):
    off = SETTINGS.model_copy(update={"range_refits": 0})
    assert fit_ranges(world.fitted, world.values, world.labels, world.people, world.train, off) is None


def test_one_refit_is_refused_with_what_to_write():
    with pytest.raises(ValidationError, match="at least 2 refits; write 0 for no ranges"):
        TrainingSettings(range_refits=1)


def test_shipped_factors_cover_every_default_outcome_and_say_where_they_come_from():
    learned, factors = read_factors()
    assert learned["people"] >= 1000 and "simulated" in learned["from"]
    assert {name: [one.horizon for one in found] for name, found in factors.items()} == {
        "admission": [28, 90, 180],
        "disengagement": [180],
    }
    for name, found in factors.items():
        OutcomeFactors(booster=f"spread_{name}.txt", scale=1.0, factors=found)
