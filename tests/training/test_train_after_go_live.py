"""A whole training run on days after a list went live: every figure that a gate reads counts weighted rows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tests.training.conftest import DAYS, FIRST, no_pictures
from training.impact.exposure import Exposure
from training.registry import tracking
from training.train import train

LIVE = FIRST + dt.timedelta(days=DAYS - 400)
NAME = "disengagement_180"


def exposure_log(ids: list[str]) -> Exposure:
    """A list every 28 days that holds everybody of a third of the people; a third of those are reviewed each time."""
    rng, lines = np.random.default_rng(2), []
    for day in range(0, 400, 28):
        placed = np.arange(len(ids)) % 3 == 0
        lines.append(
            pd.DataFrame(
                {"patient_id": ids, "as_of": pd.Timestamp(LIVE + dt.timedelta(days=day)),
                 "risk": rng.random(len(ids)), "placed": placed, "exposed": placed & (rng.random(len(ids)) < 0.3),
                 "propensity": np.nan}
            )
        )  # fmt: skip
    return Exposure(LIVE, pd.concat(lines, ignore_index=True), 0.0)


@pytest.fixture(scope="module")
def run(made_up, small_settings, tmp_path_factory):
    """(store, result, rows of the predictions that were recorded)"""
    home = tmp_path_factory.mktemp("live") / "home"
    with no_pictures():
        result = train(made_up, small_settings, home, exposure=exposure_log(sorted(made_up.patient_ids)))
    store = tracking.open_store(home, small_settings.tracking)
    path = store.artefacts / result.run_id / "artifacts" / "evaluation_predictions.parquet"
    return result, pd.read_parquet(path)


def test_the_gates_figures_are_those_of_weighted_rows(run):
    result, predictions = run
    rows = predictions[(predictions["outcome"] == "disengagement") & (predictions["horizon"] == 180)]
    assert result.evaluation.weighted and 1.0 < rows["weight"].max() <= 10.0
    label, risk, weight = (rows[name].to_numpy(float) for name in ("label", "probability", "weight"))
    found = result.evaluation.pairs[NAME].model
    assert found.observed_to_expected.value == pytest.approx((weight @ label) / (weight @ risk), abs=1e-5)
    assert found.auroc.value == pytest.approx(roc_auc_score(label, risk, sample_weight=weight), abs=1e-5)
    assert found.observed_to_expected.value != pytest.approx(label.sum() / risk.sum(), abs=1e-4)
    assert result.metrics[f"{NAME}/observed_to_expected"] == found.observed_to_expected.value


def test_rows_that_ended_at_a_review_are_counted_as_left_and_not_as_without_event(run):
    ended = [one for one in run[0].evaluation.censoring if "reviewed from the list" in one.status]
    assert {(one.outcome, one.horizon) for one in ended} >= {("disengagement", 180), ("admission", 90)}
    assert all(one.rows > 0 for one in ended)
