"""The distance from the oracle to the model in two parts: what no record holds, and what a better model could reach."""

import numpy as np
import pandas as pd
import pytest

from training.evaluation import page
from training.evaluation.ceiling import ceiling_risks, split_regret
from training.evaluation.figures import PairRows
from training.evaluation.schema.pair import CeilingFigures
from training.statistics.resampling import Draws

PEOPLE = 4000


@pytest.fixture(scope="module")
def split():
    """Three independent causes. The oracle knows all, the records hold two, and the model reads one of them."""
    rng = np.random.default_rng(0)
    read, unread, hidden = rng.normal(size=(3, PEOPLE))
    oracle, ceiling, model = (1 / (1 + np.exp(2 - z)) for z in (read + unread + hidden, read + unread, read))
    label = (rng.random(PEOPLE) < oracle).astype(float)
    at = np.arange(PEOPLE)
    rows = PairRows(at, label, Draws.of(at, 100, 0), at, at, at)
    asked = at[::2]
    return split_regret(rows, model, asked, oracle[asked], ceiling[asked])


def test_the_parts_of_the_shortfall_add_up(split):
    value = {name: figure["value"] for name, figure in split.items() if isinstance(figure, dict)}
    assert value["model_auroc"] < value["ceiling_auroc"] < value["oracle_auroc"]
    whole = value["oracle_auroc"] - value["model_auroc"]
    assert value["not_in_records"] + value["model_short"] == pytest.approx(whole, abs=1e-5)
    assert value["share"] == pytest.approx(value["model_short"] / (value["ceiling_auroc"] - 0.5), abs=1e-5)
    assert split["model_short"]["low"] > 0
    assert split["rows"] == PEOPLE / 2


def test_without_a_truth_or_particles_there_is_no_ceiling():
    spine = pd.DataFrame({"patient_id": ["a"], "as_of": ["2024-01-01"]})
    assert ceiling_risks(None, spine, np.array([0]), {"admission": (90,)}, 10, 10, 0).risks == {}


def test_the_page_shows_the_split_where_it_was_measured(trained, split):
    found = trained[1].evaluation
    assert "Not in the records" not in page.render(found, {})
    pairs = {n: p.model_copy(update={"ceiling": CeilingFigures.model_validate(split)}) for n, p in found.pairs.items()}
    shown = page.render(found.model_copy(update={"pairs": pairs}), {})
    assert "Not in the records" in shown
    assert page.percent(split["share"], 1) in shown
