"""The parameter search: within its budget, from its seed, on the training slice only, and taken only where it helps."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training.errors import NotEnoughData
from training.fitting.tune import Confirmation, _Rows, tune
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


def spine_of(people, days=60):
    """Each person on one of ``days`` days, whole and in turn, so that thirds of people and time both divide them."""
    start = np.datetime64("2025-01-01")
    return pd.DataFrame({"patient_id": people, "as_of": [start + 7 * (n % days) for n in range(len(people))]})


def search(
    labels, trials=3, seconds=600.0, train=None, progress=lambda _: None, patience=0, weights=None, own=SETTINGS
):
    matrix, people, _, features = rows()
    train = np.ones(len(people), dtype=bool) if train is None else train
    budget = TuningSettings(trials=trials, seconds=seconds, patience=patience)
    return tune(matrix, spine_of(people), labels, train, HORIZONS, own, budget, features, progress, weights)


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
    taken = best if found.confirmed["admission"].taken else found.trials[0]
    assert {name: getattr(own, name) for name in best.parameters} == taken.parameters
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
    with pytest.raises(NotEnoughData, match="admission has 0 events in the training slice: too few in some two thirds"):
        search(rows()[2] * 0)


@pytest.mark.parametrize(
    ("trial", "gain", "error", "later", "taken"),
    [
        (7, 0.0030, 0.0010, 0.0020, True),
        (7, 0.0030, 0.0010, None, True),  # later time holds too few events to judge by
        (7, 0.0030, 0.0010, -0.0001, False),  # worse on later time
        (7, 0.0020, 0.0010, 0.0020, False),  # no more than twice its standard error
        (7, -0.0010, 0.0001, 0.0020, False),
        (7, None, 0.0, None, False),  # other thirds hold too few events to judge by
        (0, 0.0, 0.0, None, False),  # no trial was better than the settings
    ],
)
def test_the_best_trial_is_taken_only_where_it_also_helps_on_other_rows(trial, gain, error, later, taken):
    found = Confirmation("admission", trial, gain, error, later)
    assert found.taken is taken
    assert ("taken" in found.line()) is taken


def test_settings_that_learn_next_to_nothing_are_replaced_and_the_gain_is_said():
    found = search(rows()[2], trials=4, own=SETTINGS.model_copy(update={"trees": 2}))
    confirmed = found.confirmed["admission"]
    assert confirmed.taken
    assert confirmed.gain > 2 * confirmed.error > 0
    assert confirmed.later > 0
    assert found.settings.of("admission").trees > 2


def test_a_lead_that_chance_alone_gave_is_not_taken():
    """No feature says anything of these labels, and the settings grow no branch, so nothing can be better: whichever of
    12 trials leads on one division of the people, the settings stay."""
    labels = rows()[2]
    flat = SETTINGS.model_copy(update={"min_rows_in_leaf": 800})
    mixed = [labels.sample(frac=1, random_state=seed).reset_index(drop=True) for seed in range(4)]
    found = [search(one, trials=12, own=flat) for one in mixed]
    assert any(one.best("admission").number for one in found)  # some trial leads where it was chosen
    assert [one.confirmed["admission"].taken for one in found] == [False] * 4
    assert {one.settings.of("admission").min_rows_in_leaf for one in found} == {800}


def test_later_time_is_judged_by_training_whose_labels_end_before_it():
    matrix, people, labels, features = rows()
    spine = spine_of(people)
    day = spine["as_of"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    person = pd.factorize(spine["patient_id"])[0]
    train = np.ones(len(people), dtype=bool)
    whole = _Rows("admission", (28, 90), matrix.values, labels.to_numpy(), train, person, day, features, None)
    folds = whole.later_thirds(1)
    assert len(folds) == 3
    for fold in folds:
        judged = np.isin(person, fold.owner) & (day >= day[fold.learnt].max() + 90)
        assert len(fold.judged) == 2 * judged.sum() > 0
        assert not set(person[fold.learnt]) & set(fold.owner)


def test_a_search_ends_when_nothing_better_comes():
    found = search(rows()[2].sample(frac=1, random_state=1).reset_index(drop=True), trials=60, patience=3)
    assert found.settled == ("admission",)
    assert found.cut == ()
    assert len(found.trials) == found.best("admission").number + 1 + 3


def test_rows_count_by_their_weights():
    labels = rows()[2]
    even = {name: np.ones(len(labels)) for name in labels}
    assert search(labels, 1, weights=even).trials == search(labels, 1).trials
    first = np.where(np.arange(len(labels)) < 450, 3.0, 1.0)
    assert search(labels, 1, weights=dict.fromkeys(labels, first)).trials != search(labels, 1).trials
