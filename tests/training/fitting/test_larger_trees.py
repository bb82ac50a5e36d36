"""Trees follow the number of people with an event: the last step that is reached counts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from training import cross_validation, train
from training.fitting.trainable import larger_trees, people_with_an_event
from training.settings import LargerTrees, OutcomeTraining, Settings, TrainingSettings

STEPS = OutcomeTraining(
    l2=7.0, larger=(LargerTrees(people=3, trees=50), LargerTrees(people=5, trees=90, max_depth=4, leaves=16))
)


@pytest.mark.parametrize(
    ("people", "trees", "max_depth", "leaves"),
    [(0, 160, 3, 8), (2, 160, 3, 8), (3, 50, 3, 8), (4, 50, 3, 8), (5, 90, 4, 16), (9, 90, 4, 16)],
)
def test_the_last_step_that_is_reached_counts_and_leaves_the_rest_as_it_is(people, trees, max_depth, leaves):
    own = TrainingSettings(by_outcome={"admission": STEPS}).with_events("admission", people).of("admission")
    assert (own.trees, own.max_depth, own.leaves, own.l2) == (trees, max_depth, leaves, 7.0)


def test_an_outcome_without_steps_keeps_its_parameters():
    settings = TrainingSettings(by_outcome={"admission": STEPS})
    assert settings.with_events("disengagement", 10_000) is settings


@pytest.mark.parametrize("people", [(5, 3), (3, 3)])
def test_steps_that_do_not_rise_are_refused(people):
    with pytest.raises(ValidationError, match="larger has steps at"):
        OutcomeTraining(larger=tuple(LargerTrees(people=n, trees=10) for n in people))


SPINE = pd.DataFrame({"patient_id": ["anna", "anna", "ben", "cleo", "dora"]})
TRAIN = np.array([True, True, True, True, False])


@pytest.mark.parametrize(
    ("soon", "late", "people"),
    [
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], 0),
        ([1, 1, 0, 0, 0], [1, 1, 0, 0, 0], 1),  # twice one person
        ([0, 0, 0, 0, 0], [0, 0, 1, 1, 1], 2),  # the last row is not learned from
        ([1, np.nan, 0, 0, 0], [np.nan, np.nan, 1, 0, 0], 2),  # not followed to the end
    ],
)
def test_people_are_counted_once_and_in_training_rows_only(soon, late, people):
    labels = pd.DataFrame({"admission_28": soon, "admission_90": late}, dtype=float)
    assert people_with_an_event(SPINE, labels, TRAIN) == people


def test_a_line_says_which_outcome_has_larger_trees():
    labels = pd.DataFrame({"admission_28": [0.0, 1, 1, 1, 1], "disengagement_180": [0.0] * 5})
    settings = Settings(
        outcomes={"horizons": {"admission": (28,), "disengagement": (180,)}},
        training={"by_outcome": {"admission": STEPS}},
        promotion={"headline": ["admission_28"]},
    )
    said: list[str] = []
    found = larger_trees(SimpleNamespace(spine=SPINE, labels=labels), TRAIN, settings, said.append)
    assert found.of("admission").trees == 50
    assert said == ["admission: 3 people with an event, so 50 trees of 8 leaves"]


class _Asked(Exception):
    """Ends a training once it asked for a model."""


@pytest.mark.parametrize("door", ["a training", "a study"])
def test_a_training_and_a_study_use_them(monkeypatch, tmp_path, made_up, small_settings, door):
    steps = {"admission": OutcomeTraining(larger=(LargerTrees(people=1, trees=33, leaves=5),))}
    settings = small_settings.model_copy(
        update={"training": small_settings.training.model_copy(update={"by_outcome": steps})}
    )

    def fit(*given, **named):
        own = next(one for one in given if isinstance(one, TrainingSettings)).of("admission")
        raise _Asked(own.trees, own.leaves)

    monkeypatch.setattr(train if door == "a training" else cross_validation, "fit", fit)
    with pytest.raises(_Asked) as asked:
        if door == "a training":
            train.train(made_up, settings, tmp_path)
        else:
            cross_validation.study(made_up, settings, tmp_path, "leave-one-team-out")
    assert asked.value.args == (33, 5)
