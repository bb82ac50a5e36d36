"""Rows that stand for people whose follow-up ended at a review count in the trees and in the calibration."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training.fitting.boosters import fit
from training.fitting.refit import refit
from training.settings import TrainingSettings

PEOPLE, HORIZONS = 12_000, {"admission": (90,)}
FEATURES = (SimpleNamespace(name="history", direction=1),)
SETTINGS = TrainingSettings(
    trees=40, learning_rate=0.1, max_depth=2, min_rows_in_leaf=100, feature_fraction=1.0, refit_folds=2, threads=1
)


@pytest.fixture(scope="module")
def cut_off():
    """The half with the higher risks is listed on day 45, and half of those who are well then are reviewed, which ends
    their follow-up. Whoever is followed on counts twice; events before day 45 keep their weight.
    """
    rng = np.random.default_rng(4)
    history = rng.normal(size=PEOPLE).astype(np.float32)
    risk = 1 / (1 + np.exp(2.0 - 0.8 * history.astype(float)))
    event = np.where(rng.random(PEOPLE) < risk, rng.integers(1, 90, PEOPLE), 999)
    listed = (history > 0) & (event > 45)
    reviewed = listed & (rng.random(PEOPLE) < 0.5)
    label = np.where(reviewed, np.nan, (event < 90).astype(float))
    weight = np.where(listed, 2.0, 1.0)
    return pd.DataFrame({"history": history}), pd.DataFrame({"admission_90": label}), {"admission_90": weight}, risk


def expected_over_true(model, rows, risk):
    return model.by_pair(rows)["admission_90"].sum() / risk.sum()


@pytest.mark.parametrize("again", [False, True], ids=["fit", "refit"])
def test_a_model_of_weighted_rows_expects_as_many_events_as_there_would_be_without_reviews(cut_off, again):
    rows, labels, weights, risk = cut_off
    aside = np.arange(PEOPLE) % 3 == 0

    def model(counted):
        once = fit(rows, labels, ~aside, aside, HORIZONS, SETTINGS, features=FEATURES, weights=counted)
        return refit(rows.to_numpy(), labels, np.arange(PEOPLE), once, SETTINGS, counted) if again else once

    assert expected_over_true(model(weights), rows, risk) == pytest.approx(1.0, abs=0.06)
    assert expected_over_true(model(None), rows, risk) > 1.1  # reviewed people are missing, their events are not
