"""Simple rules and the logistic control."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.catalogue import CATALOGUE
from training.comparators import RULES, apply_rules, fit_logistic
from training.errors import NotEnoughData


def test_every_rule_reads_features_that_exist():
    assert all(name in CATALOGUE for rule in RULES for name in rule.needs)
    assert len(RULES) >= 5


def ranks(rule, **columns):
    matrix = SimpleNamespace(values=np.array(list(columns.values()), dtype=np.float32).T, names=tuple(columns))
    return np.argsort(-apply_rules(matrix)[rule]).tolist()


def test_the_rules_rank_as_a_team_would():
    nan = np.nan
    assert ranks("days_since_seen", days_since_attended=[10, nan, 80]) == [1, 2, 0]  # never seen comes first
    assert ranks("recent_discharge", days_since_discharge=[300, nan, 5]) == [2, 0, 1]  # never in hospital comes last
    assert ranks("crises_last_year", crisis_contacts_365d=[0, 2, 1], admissions_365d=[0, 0, 2]) == [2, 1, 0]
    assert ranks("overdue_monitoring", tests_overdue=[1, nan, 4]) == [2, 0, 1]
    gaps = {name: [nan, nan, nan] for rule in RULES if rule.name == "supply_gap" for name in rule.needs}
    assert ranks(
        "supply_gap", **{**gaps, "clozapine_gap_days": [5, nan, 0], "depot_days_past_due": [-20, 12, nan]}
    ) == [1, 0, 2]


def test_a_rule_without_its_features_is_left_out():
    assert apply_rules(SimpleNamespace(values=np.zeros((2, 1), dtype=np.float32), names=("tests_overdue",))).keys() == {
        "overdue_monitoring"
    }


def test_the_control_learns_from_values_and_from_their_absence():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 3)).astype(np.float32)
    absent = rng.random(4000) < 0.3
    label = (rng.random(4000) < 1 / (1 + np.exp(2 - values[:, 0] - 2 * absent))).astype(float)
    values[absent, 1] = np.nan
    values[:, 2] = np.nan  # never recorded for anyone
    matrix = SimpleNamespace(values=values, names=("a", "b", "c"))
    train = np.arange(4000) < 2000
    control = fit_logistic(matrix, pd.DataFrame({"x_28": label}), train)
    probability = control.probabilities(values[~train])["x_28"]
    assert roc_auc_score(label[~train], probability) > 0.78
    assert probability.mean() == pytest.approx(label[~train].mean(), rel=0.1)
    with pytest.raises(NotEnoughData, match="x_28 has events in none"):
        fit_logistic(matrix, pd.DataFrame({"x_28": np.zeros(4000)}), train)
