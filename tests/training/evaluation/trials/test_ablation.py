"""Ablation: a group that alone holds a signal is worth most, one whose signal another group holds too is worth little,
and noise is worth nothing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training.dataset.splits import Split
from training.evaluation.page import render
from training.evaluation.schema.evaluation import Ablated, Evaluation
from training.evaluation.trials import ablation
from training.fitting.boosters import fit
from training.settings import Settings

PEOPLE, DATES = 600, 10
HORIZONS = {"admission": (28, 90)}
FEATURES = tuple(
    SimpleNamespace(name=name, direction=0, table=table, concept=concept)
    for name, table, concept in (
        ("alone", "stays", "admissions"),
        ("twice", "contacts", "contact_amount"),
        ("again", "results", "outcome_scores"),
        ("noise", "supplies", "adherence"),
    )
)


def settings(groups):
    made = Settings.model_validate({"evaluation": {"ablation": groups, "bootstrap_draws": 60}})
    own = {"trees": 30, "learning_rate": 0.1, "min_rows_in_leaf": 20, "l2": 1.0, "by_outcome": {}}
    own |= {"feature_fraction": 1.0}
    return made.model_copy(update={"training": made.training.model_copy(update=own)})


@pytest.fixture(scope="module")
def world():
    """Risk follows two causes: one feature holds the first, two features hold the second."""
    rng = np.random.default_rng(4)
    people, date = np.repeat(np.arange(PEOPLE), DATES), np.tile(np.arange(DATES), PEOPLE)
    first, second = rng.normal(size=(2, len(people)))
    values = np.column_stack([first, second, second, rng.normal(size=len(people))]).astype(np.float32)
    risk = 1 / (1 + np.exp(2.5 - 1.2 * first - 1.2 * second))
    drawn = rng.random(len(people))
    labels = pd.DataFrame({f"admission_{days}": (drawn < risk * days / 90) * 1.0 for days in HORIZONS["admission"]})
    labels.loc[date == 9, "admission_90"] = np.nan
    spine = pd.DataFrame({"patient_id": [f"p{n}" for n in people]})
    split = Split(date < 5, (date >= 5) & (date < 7), date >= 7, np.zeros(len(people), dtype=bool), 0)
    return SimpleNamespace(values=values, labels=labels, spine=spine, split=split)


def ablated(world, groups):
    asked = settings(groups)
    matrix = SimpleNamespace(values=world.values, names=tuple(feature.name for feature in FEATURES))
    split = world.split
    fitted = fit(matrix, world.labels, split.train, split.calibration, HORIZONS, asked.training, FEATURES)
    model = fitted.by_pair(world.values)
    return ablation.without_each(fitted, world.values, world.labels, world.spine, split, model, asked)


def test_a_group_is_worth_what_no_other_group_holds(world):
    found = ablated(world, "tables")
    assert found[0]["group"] == "stays"
    lost = {one["group"]: one["lost"]["admission_90"] for one in found}
    assert lost["stays"]["value"] > 0.08 and lost["stays"]["low"] > 0.05
    for group in ("contacts", "results", "supplies"):
        assert abs(lost[group]["value"]) < 0.01, group
        assert lost[group]["low"] <= lost[group]["value"] <= lost[group]["high"]
    assert all(one["features"] == 1 and set(one["lost"]) == {"admission_28", "admission_90"} for one in found)


def test_groups_are_concepts_where_the_settings_say_so(world):
    found = ablated(world, "concepts")
    assert {one["group"] for one in found} == {
        "Hospital admissions",
        "How often seen",
        "Outcome scores",
        "Days covered by medicine",
    }


def test_a_group_without_which_nothing_can_be_fitted_is_named_without_a_figure(world):
    constant = SimpleNamespace(**{**vars(world), "values": world.values.copy()})
    constant.values[:, 1:] = 1.0
    found = ablated(constant, "tables")
    assert found[0]["group"] == "stays"
    assert found[0]["lost"] == {"admission_28": None, "admission_90": None}


def test_the_page_shows_it(trained, small_settings):
    home, result = trained
    folder = home / "artefacts" / result.run_id / "artifacts" / "evaluation"
    evaluation = Evaluation.read((folder / "evaluation.json").read_bytes())
    assert evaluation.ablation is None and "each group of features is worth" not in render(evaluation, {})
    lost = dict.fromkeys(evaluation.pairs) | {
        next(iter(evaluation.pairs)): {"value": 0.0123, "low": 0.001, "high": 0.02}
    }
    shown = Ablated.model_validate({"group": "outcome_scores", "features": 10, "lost": lost})
    page = render(evaluation.model_copy(update={"ablation": [shown]}), {})
    assert "What each group of features is worth" in page
    assert '<td>outcome scores</td><td class="n">10</td><td>0.012 (0.001 to 0.020)</td><td>–</td>' in page
