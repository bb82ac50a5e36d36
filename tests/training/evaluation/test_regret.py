"""Regret to the oracle, on rows of which those before an event are drawn more often: the figures are still those of
the whole test slice."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from training.evaluation.figures import PairRows, numbered
from training.evaluation.oracle import regret, true_risks
from training.statistics.resampling import Draws

PEOPLE, DATES = 2000, 5


class Truth:
    """Knows each row's own risk, which the test drew the events from."""

    def __init__(self, spine, risk):
        self.spine, self.risks, self.asked = spine, risk, 0

    def risk(self, spine, outcomes, draws, seed):
        self.asked = len(spine)
        told = spine.merge(self.spine.assign(probability=self.risks), on=["patient_id", "as_of"])
        return told.assign(outcome="x", horizon=90)


@pytest.fixture(scope="module")
def world():
    """One row in fifty has an event. The model knows half of the true log odds; the rule nothing."""
    rng = np.random.default_rng(0)
    spine = pd.DataFrame(
        {
            "patient_id": np.repeat([f"p{n}" for n in range(PEOPLE)], DATES),
            "as_of": np.tile(pd.date_range("2024-01-01", periods=DATES, freq="28D"), PEOPLE),
        }
    )
    known, unknown = rng.normal(size=(2, len(spine)))
    risk = 1 / (1 + np.exp(5 - known - unknown))
    label = (rng.random(len(spine)) < risk).astype(float)
    return spine, risk, label, 1 / (1 + np.exp(4.6 - known)), rng.random(len(spine))


def test_regret_from_weighted_sampled_rows_agrees_with_all_rows(world):
    spine, risk, label, model, rule = world
    people = np.repeat(np.arange(PEOPLE), DATES)
    test = np.arange(len(spine)) >= 1000
    at = np.flatnonzero(test)
    draws = Draws.of(people[at] - people[at].min(), 100, 0)
    rows = PairRows(
        at, label[at], draws, np.zeros(len(at), dtype=np.int64), at, numbered(people[at], at, label[at] == 1)
    )
    truth = Truth(spine, risk)
    positions, risks = true_risks(truth, spine, test, label == 1, {"x": (90,)}, 600, 10, 0)
    assert truth.asked <= 600
    assert test[positions].all()
    assert len(positions) == pytest.approx(len(at), rel=0.1)  # each stands for as many as it was drawn from
    found = regret(rows, model[at], {"rule": rule[at]}, positions, risks["x_90"])
    assert found["rows"] == truth.asked
    assert found["event_rows"] == label[at].sum()  # no event was left out: there was room for them all
    whole = roc_auc_score(label[at], risk[at]), roc_auc_score(label[at], model[at])
    assert found["oracle_auroc"]["value"] == pytest.approx(whole[0], abs=0.03)
    assert found["regret"]["value"] == pytest.approx(whole[0] - whole[1], abs=0.03)
    assert found["regret"]["low"] < whole[0] - whole[1] < found["regret"]["high"]
    assert found["mean_true_risk"]["value"] == pytest.approx(risk[at].mean(), rel=0.15)
    # As many rows drawn alike hold a fiftieth of them before an event, and cannot tell.
    alike, risks = true_risks(truth, spine, test, np.zeros(len(spine), dtype=bool), {"x": (90,)}, 600, 10, 0)
    blind = regret(rows, model[at], {"rule": rule[at]}, alike, risks["x_90"])
    assert blind["event_rows"] < 40
    assert blind["regret"]["high"] - blind["regret"]["low"] > 1.5 * (found["regret"]["high"] - found["regret"]["low"])


def test_without_a_truth_there_is_no_regret(world):
    spine, _, label, _, _ = world
    test = np.ones(len(spine), dtype=bool)
    at, risks = true_risks(None, spine, test, label == 1, {"x": (90,)}, 600, 10, 0)
    assert (len(at), risks) == (0, {})
