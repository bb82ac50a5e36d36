"""Simple rules."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from features.catalogue import CATALOGUE
from training.fitting.simple_rules import (
    FIVE_FACTORS,
    RULES,
    apply_rules,
    fit_five_factors,
    without_looking,
)


def test_every_rule_reads_features_that_exist():
    assert all(name in CATALOGUE for rule in RULES for name in rule.needs)
    assert all(name in CATALOGUE for name in FIVE_FACTORS)
    # With the random rule, the alphabetical rule and the five-factor logistic: the ten of the issue, and
    # missed_in_a_row, a harder bar.
    assert len({rule.name for rule in RULES}) == 8


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


def test_an_ordered_list_decides_by_the_first_predictor_that_differs():
    nan = np.nan
    columns = {
        "crisis_contacts_365d": [0, 1, 0, 0, 0],
        "admissions_365d": [0, nan, 0, 0, 0],
        "days_since_discharge": [nan, nan, 10, 400, nan],
        "missed_180d": [0, 0, 0, 3, 0],
        "days_since_attended": [50, 1, 1, 1, nan],
    }
    assert ranks("ordered_list", **columns) == [1, 2, 3, 4, 0]  # crisis, discharged, missed, never seen, silent
    same = {name: [values[0]] * 2 for name, values in columns.items()}
    matrix = SimpleNamespace(values=np.array(list(same.values()), dtype=np.float32).T, names=tuple(same))
    assert len(set(apply_rules(matrix)["ordered_list"])) == 1  # people alike stay tied


def test_the_last_missed_appointment_ranks_the_most_recent_first_and_never_last():
    assert ranks("last_missed", days_since_missed=[40, np.nan, 3]) == [2, 0, 1]


def test_rules_that_use_no_features():
    found = without_looking(["b", "a", "b", "c"], seed=1)
    assert np.argsort(-found["alphabetical"], kind="stable").tolist() == [1, 0, 2, 3]
    np.testing.assert_array_equal(found["random"], without_looking(["x", "y", "z", "w"], seed=1)["random"])


def test_the_five_factor_rule_reads_its_five_factors_only():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3000, 6)).astype(np.float32)
    label = pd.DataFrame({"x_28": (rng.random(3000) < 1 / (1 + np.exp(1 - values[:, 5]))).astype(float)})
    everyone = np.ones(3000, dtype=bool)
    names = ("unread", *FIVE_FACTORS)
    fitted = fit_five_factors(SimpleNamespace(values=values, names=names), label, everyone)
    garbled = values.copy()
    garbled[:, 0] = rng.normal(size=3000) * 9
    again = fit_five_factors(SimpleNamespace(values=garbled, names=names), label, everyone)
    np.testing.assert_array_equal(
        fitted.probabilities(values[:, 1:])["x_28"], again.probabilities(garbled[:, 1:])["x_28"]
    )
    assert roc_auc_score(label["x_28"], fitted.probabilities(values[:, 1:])["x_28"]) > 0.7
    assert fit_five_factors(SimpleNamespace(values=values, names=("other",) * 6), label, everyone) is None


def test_a_rule_without_its_features_is_left_out():
    assert apply_rules(SimpleNamespace(values=np.zeros((2, 1), dtype=np.float32), names=("tests_overdue",))).keys() == {
        "overdue_monitoring"
    }
