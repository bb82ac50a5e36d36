"""The parameter search: within its budget, from its seed, on the training slice only."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training.errors import NotEnoughData
from training.fitting.tune import tune
from training.settings import TrainingSettings, TuningSettings

HORIZONS = {"admission": (28, 90)}
SETTINGS = TrainingSettings(trees=20, min_rows_in_leaf=20, by_outcome={}, seed=5)


def rows(number=900, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(number, 4)).astype(np.float32)
    short = rng.random(number) < 1 / (1 + np.exp(1.5 - 2 * values[:, 0]))
    labels = pd.DataFrame(
        {"admission_28": short.astype(float), "admission_90": (short | (rng.random(number) < 0.1)).astype(float)}
    )
    features = [SimpleNamespace(name=name, direction=None) for name in "abcd"]
    return SimpleNamespace(values=values, names=tuple("abcd")), [f"p{n // 3}" for n in range(number)], labels, features


def search(labels, trials=3, seconds=600.0, train=None, progress=lambda _: None):
    matrix, people, _, features = rows()
    train = np.ones(len(people), dtype=bool) if train is None else train
    budget = TuningSettings(trials=trials, seconds=seconds)
    return tune(matrix, people, labels, train, HORIZONS, SETTINGS, budget, features, progress)


def test_a_search_repeats_itself_and_never_ends_below_the_stated_settings():
    labels, heard = rows()[2], []
    found = search(labels, progress=heard.append)
    again = search(labels)
    assert found.trials == again.trials == tuple(heard)
    assert [trial.number for trial in found.trials] == [0, 1, 2, 3]
    assert found.trials[0].parameters["trees"] == SETTINGS.trees  # trial 0 is what the settings say
    best = found.best("admission")
    assert best.log_loss == min(trial.log_loss for trial in found.trials) <= found.trials[0].log_loss
    own = found.settings.of("admission")
    assert {name: getattr(own, name) for name in best.parameters} == best.parameters
    assert found.settings.of("disengagement").trees == SETTINGS.trees
    assert found.cut == ()


def test_rows_outside_the_training_slice_are_never_read():
    labels = rows()[2]
    train = np.arange(len(labels)) < 600
    garbled = labels.copy()
    garbled.loc[600:] = 1 - garbled.loc[600:]
    assert search(labels, 1, train=train).trials == search(garbled, 1, train=train).trials


def test_a_search_that_runs_out_of_seconds_says_so():
    found = search(rows()[2], trials=50, seconds=1e-9)
    assert found.cut == ("admission",)
    assert len(found.trials) == 2  # the stated settings, and one trial


def test_too_few_events_to_search_on_are_named():
    with pytest.raises(NotEnoughData, match="admission has 0 events among two thirds"):
        search(rows()[2] * 0)
