"""A store without events of one outcome trains the others and says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.cross_validation import Study, what_was_done
from training.dataset.prepare import Prepared
from training.dataset.splits import Split
from training.errors import NotEnoughData
from training.fitting.boosters import fit
from training.fitting.trainable import trainable
from training.settings import Settings, TrainingSettings

ROWS = 300


def ready(**events: int) -> Prepared:
    """Data with this many events of each outcome, half in training and half in calibration."""
    labels = {}
    for pair in ("admission_28", "admission_90", "admission_180", "disengagement_180"):
        found = np.zeros(ROWS)
        half = events[pair.partition("_")[0]] // 2
        found[:half] = found[100 : 100 + half] = 1
        labels[pair] = found
    places = np.arange(ROWS)
    split = Split(places < 100, (places >= 100) & (places < 200), places >= 200, np.zeros(ROWS, bool), 180)
    return Prepared(pd.DataFrame(), pd.DataFrame(), None, None, pd.DataFrame(labels), split)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("events", "kept", "left_out"),
    [
        ({"admission": 80, "disengagement": 80}, ["admission", "disengagement"], []),
        ({"admission": 80, "disengagement": 0}, ["admission"], ["disengagement"]),
        ({"admission": 80, "disengagement": 30}, ["admission"], ["disengagement"]),
        ({"admission": 0, "disengagement": 80}, ["disengagement"], ["admission"]),
        ({"admission": 0, "disengagement": 0}, ["admission", "disengagement"], []),  # fitting says what is missing
    ],
)
def test_an_outcome_without_enough_events_is_left_out_by_name(events, kept, left_out):
    found = trainable(ready(**events), Settings())
    assert list(found.settings.outcomes.horizons) == kept
    assert [name.partition("_")[0] for name in found.ready.labels] == [
        name for name in ("admission", "admission", "admission", "disengagement") if name in kept
    ]
    assert list(found.left_out) == left_out
    for outcome, why in found.left_out.items():
        assert why.startswith(f"{outcome} is left out: {events[outcome] // 2} events to train on (at least 20 are")
        assert "The other outcomes are trained" in why


def test_leaves_that_are_too_large_are_named():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"missed_90d": rng.normal(size=200), "attended_90d": rng.normal(size=200)}).astype("float32")
    labels = pd.DataFrame({"admission_28": (frame["missed_90d"] > 0).astype(float)})
    train = np.arange(200) < 120
    with pytest.raises(NotEnoughData, match=r"A leaf needs 400 rows \(training.min_rows_in_leaf\) and .* has 120"):
        fit(frame, labels, train, ~train, {"admission": (28,)}, TrainingSettings(by_outcome={}))


@pytest.mark.parametrize(
    ("kind", "made", "words"),
    [
        ("rolling", 3, ["3 of 3 origins (splits.origins), each tested on later days of its own."]),
        ("rolling", 1, ["1 of 3 origins", "less than 180 days", "One origin is the plain split, and shows no spread."]),
        ("leave-one-team-out", 4, ["4 teams were left out in turn."]),
    ],
)
def test_a_study_says_what_it_did(kind, made, words):
    said = what_was_done(kind, made, Settings())
    assert all(word in said for word in words)
    assert ("An earlier origin" in said) == (kind == "rolling" and made < 3)


def test_a_study_prints_the_range_over_its_splits():
    def part(name: str, auroc: float) -> dict:
        figures = ("auroc", "scaled_brier", "calibration_slope", "observed_to_expected", "captured_at_slots")
        values = {figure: {"value": auroc, "low": auroc, "high": auroc} for figure in figures}
        return {"name": name, "pairs": {"admission_90": {"events": 20, "figures": values}}}

    parts = [part("t1", 0.6), part("t2", 0.7), part("t3", 0.8)]
    lines = Study("leave-one-team-out", "r", False, parts, {}, "3 teams were left out in turn.").lines()
    assert lines[0] == "3 teams were left out in turn."
    assert lines[-1].startswith("range over 3 splits, admission, 90: AUROC 0.600 to 0.800 (median 0.700); slope 0.60")
    assert Study("rolling", "r", False, parts[:1], {}).range_lines() == []
