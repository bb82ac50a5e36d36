"""Four models that are really built broken on a small made-up trust, and the gate that refuses each.

The second of them is the honest model in all but its calibration: that every other gate lets it pass shows that they
do not refuse everything.
"""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import Records
from features.records.tables import OUTCOMES
from tests.leakage.plants import column_plus
from tests.training.conftest import SMALL, made_up_frames
from training import train
from training.dataset import prepare
from training.fitting import boosters
from training.registry import record
from training.registry.promotion import promote
from training.settings import Settings

GATES = {
    **SMALL["promotion"],
    "calibration_slope": [0.6, 1.6],
    "worst_group_at_least": 0.8,
    "worst_team_at_least": 0.8,
    "stability_at_least": 0.6,
}
QUICK = {"bootstrap_draws": 40, "enough_events": 12, "capacity_weeks": 0, "coherence_rows": 0, "stability_refits": 2}
STRICT = Settings(**{**SMALL, "promotion": GATES, "evaluation": QUICK})


@pytest.fixture(scope="module")
def trust():
    frames = made_up_frames()
    frames["patients"]["sex"] = np.where(np.arange(len(frames["patients"])) % 2 == 0, "female", "male")
    return Records.from_frames(
        frames, about={"synthetic": True, "source": "made up in a test"}, today=dt.date(2030, 1, 1)
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("broken") / "home"


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """No gate looks at a picture, and drawing fifteen of them is a third of such a run."""
    monkeypatch.setattr(record.draw, "draw", lambda *_: {})


def refusals(trust, home, settings=STRICT):
    """Names of the gates that refuse the model which ``settings`` train on ``trust``."""
    result = train.train(trust, settings, home)
    decision = promote(home, STRICT, by="a test", why="to be refused", version=result.version)
    return {gate.name.rpartition(".")[2] for gate in decision.gates if not gate.passed}


def misses_to_come(records, person, as_of):
    """How many appointments each person will miss in the ninety days after the date: the outcome inside the
    predictors."""
    contacts, patient = records.columns("contacts"), records.tables["contacts"].patient
    missed = contacts["outcome"] == OUTCOMES.index("did_not_attend")
    place = np.sort(patient[missed].astype(np.int64) * 100_000 + contacts["contact_on"][missed])
    here = np.asarray(person, dtype=np.int64) * 100_000 + np.asarray(as_of, dtype=np.int64)
    return 10 * (np.searchsorted(place, here + 90) - np.searchsorted(place, here))


@pytest.mark.slow
def test_a_leaky_model_is_refused_by_the_leak_proof(trust, home):
    with pytest.MonkeyPatch.context() as patch:
        column_plus("missed_90d", misses_to_come)(patch)
        assert "leak_proof" in refusals(trust, home)


@pytest.mark.slow
def test_a_miscalibrated_model_is_refused_by_the_slope(trust, home, monkeypatch):
    """A calibration three times too sure of itself: the order of the list is the same, the probabilities are not to be
    believed."""
    right = boosters.fit_calibration

    def too_sure(*given):
        found = right(*given)
        return dataclasses.replace(found, slope=found.slope * 3)

    monkeypatch.setattr(boosters, "fit_calibration", too_sure)
    assert refusals(trust, home) == {"calibration_slope"}


@pytest.mark.slow
def test_an_unstable_model_is_refused_by_the_overlap_of_its_refits(trust, home):
    """Trees that learn single rows by heart: other people in the training data, another list."""
    learns_by_heart = {
        "trees": 40,
        "learning_rate": 1.0,
        "max_depth": 6,
        "leaves": 31,
        "min_rows_in_leaf": 1,
        "l2": 0.0,
        "feature_fraction": 0.02,
        "by_outcome": {},
    }
    training = STRICT.training.model_copy(update=learns_by_heart)
    assert "stability" in refusals(trust, home, STRICT.model_copy(update={"training": training}))


@pytest.mark.slow
def test_a_model_that_is_unfair_to_a_group_is_refused_by_the_worst_group(trust, home, monkeypatch):
    """A feed that loses every woman's records once the model is in use: the lists no longer hold women."""
    build = prepare.build
    women = set(trust.patient_ids[::2])

    def without_women(records, spine, **options):
        matrix = build(records, spine, **options)
        lost = spine["patient_id"].isin(women) & (spine["as_of"] >= pd.Timestamp("2024-01-01"))
        matrix.values[lost.to_numpy()] = np.nan
        return matrix

    monkeypatch.setattr(prepare, "build", without_women)
    assert "worst_group" in refusals(trust, home)
