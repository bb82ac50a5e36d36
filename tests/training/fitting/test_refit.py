"""The served model is trained on all rows, and calibrated on people outside its folds."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training.fitting.boosters import fit
from training.fitting.refit import refit, trained_until
from training.settings import TrainingSettings

PEOPLE, LANDMARKS = 1500, 4
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(PEOPLE * LANDMARKS, 3)).astype(np.float32)
RISK = 1 / (1 + np.exp(2.5 - VALUES[:, 0]))
LABELS = pd.DataFrame({"a_90": (RNG.random(len(RISK)) < RISK).astype(float)})
WHO = np.repeat(np.arange(PEOPLE), LANDMARKS)
SPINE = pd.DataFrame({"as_of": np.tile(pd.date_range("2024-01-01", periods=LANDMARKS, freq="90D"), PEOPLE)})
EARLY = SPINE["as_of"].to_numpy() == SPINE["as_of"].min()
LATER = SPINE["as_of"].to_numpy() == np.sort(SPINE["as_of"].unique())[1]
SETTINGS = TrainingSettings(trees=40, min_rows_in_leaf=20, learning_rate=0.1, refit_folds=3)
FEATURES = [SimpleNamespace(name=name, direction=0) for name in "xyz"]


@pytest.fixture(scope="module")
def both():
    """The model of an evaluation, which learned from the first landmark; and the one fitted again."""
    matrix = SimpleNamespace(values=VALUES, names=("x", "y", "z"))
    evaluated = fit(matrix, LABELS, EARLY, LATER, {"a": (90,)}, SETTINGS, features=FEATURES)
    return evaluated, refit(VALUES, LABELS, WHO, evaluated, SETTINGS)


def test_the_refit_on_all_rows_learns_more_and_stays_calibrated(both):
    """On new people of the same kind: nearer to the true risks than the evaluated model, and true on average."""
    fresh = np.random.default_rng(1).normal(size=(20_000, 3)).astype(np.float32)
    true = 1 / (1 + np.exp(2.5 - fresh[:, 0]))
    before, after = (np.abs(one.by_pair(fresh)["a_90"] - true).mean() for one in both)
    assert after < before
    assert both[1].by_pair(fresh)["a_90"].mean() == pytest.approx(true.mean(), rel=0.05)


def test_it_is_calibrated_on_people_that_its_folds_had_not_seen():
    """Labels of pure chance and trees that memorise them: seen people would give a steep slope, unseen ones give
    risks near the prevalence or are refused."""
    chance = pd.DataFrame({"a_90": (np.random.default_rng(2).random(len(RISK)) < 0.1).astype(float)})
    heart = SETTINGS.model_copy(update={"trees": 200, "min_rows_in_leaf": 1, "l2": 0.0, "max_depth": 6, "leaves": 31})
    matrix = SimpleNamespace(values=VALUES, names=("x", "y", "z"))
    evaluated = fit(matrix, LABELS, EARLY, LATER, {"a": (90,)}, SETTINGS, features=FEATURES)
    from training.errors import NotEnoughData

    try:
        found = refit(VALUES, chance, WHO, evaluated, heart)
    except NotEnoughData as error:
        assert "cannot be calibrated" in str(error)
    else:
        assert found.by_pair(VALUES)["a_90"].max() < 0.4


def test_a_refit_is_trained_until_the_last_complete_label():
    labels = LABELS.where(SPINE["as_of"] < pd.Timestamp("2024-06-01"))
    assert trained_until(labels, SPINE, {"a": (90,)}) == {"a_90": "2024-03-31"}
