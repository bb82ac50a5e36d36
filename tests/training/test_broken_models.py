"""Five models that are really built broken on a small made-up trust, and the gate that refuses each.

Two of them are the honest model in all but their calibration, one too sure of itself and one with risks too low: that
every other gate lets them pass shows that the gates do not refuse everything.
"""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from features import Records
from features.records.tables import OUTCOMES
from models.calibration import sigmoid
from tests.leakage.plants import column_plus
from tests.training.conftest import SMALL, made_up_frames, no_pictures, no_served_model
from training import train
from training.dataset import prepare
from training.fitting import boosters
from training.registry.promotion import promote
from training.settings import Settings

pytestmark = pytest.mark.usefixtures("store_template")

GATES = {
    **SMALL["promotion"],
    "calibration_slope": [0.6, 1.6],
    "observed_to_expected": [0.5, 2.0],
    "worst_group_at_least": 0.8,
    "worst_team_at_least": 0.8,
    "stability_at_least": 0.6,
}
QUICK = {"bootstrap_draws": 40, "enough_events": 12, "capacity_weeks": 0, "coherence_rows": 0, "stability_refits": 2}
ALONE = {**SMALL["training"], "refit_folds": 0, "range_refits": 0}
"""No gate looks at ranges, or at the fit on all rows."""
STRICT = Settings(**{**SMALL, "training": ALONE, "promotion": GATES, "evaluation": QUICK})


@pytest.fixture(scope="module")
def trust():
    """People who drift off are in every team, so that a team's list can hold them and leave the others out."""
    frames = made_up_frames()
    frames["referrals"]["team_id"] = [f"t{(n // 3) % 3}" for n in range(len(frames["referrals"]))]
    frames["patients"]["sex"] = np.where(np.arange(len(frames["patients"])) % 2 == 0, "female", "male")
    return Records.from_frames(
        frames, about={"synthetic": True, "source": "made up in a test"}, today=dt.date(2030, 1, 1)
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("broken") / "home"


def refusals(trust, home, settings=STRICT):
    """Names of the gates that refuse the model which ``settings`` train on ``trust``."""
    with no_pictures(), no_served_model():
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
    """A calibration three times too sure of itself: the order of the list and the events expected in all are the same,
    the probabilities are not to be believed."""
    right = boosters.fit_calibration

    def too_sure(margin, *given):
        found = right(margin, *given)
        expected = found.probability(margin).mean()
        down = brentq(lambda by: sigmoid(3 * found.logit(margin) - by).mean() - expected, -50, 50)
        offsets = tuple(3 * offset - down for offset in found.offsets)
        return dataclasses.replace(found, slope=3 * found.slope, offsets=offsets)

    monkeypatch.setattr(boosters, "fit_calibration", too_sure)
    assert refusals(trust, home) == {"calibration_slope"}


@pytest.mark.slow
def test_a_model_whose_risks_are_too_low_is_refused_by_the_observed_over_the_expected(trust, home, monkeypatch):
    """The odds of every risk are a quarter of what they should be: order and slope are right, the level is not."""
    right = boosters.fit_calibration

    def too_low(*given):
        found = right(*given)
        return dataclasses.replace(found, offsets=tuple(offset - np.log(4) for offset in found.offsets))

    monkeypatch.setattr(boosters, "fit_calibration", too_low)
    assert refusals(trust, home) == {"observed_to_expected"}


@pytest.mark.slow
def test_an_unstable_model_is_refused_by_the_overlap_of_its_refits(trust, home):
    """Trees that memorise single rows: other people in the training data, another list."""
    learns_by_heart = {
        "trees": 40,
        "learning_rate": 1.0,
        "max_depth": 6,
        "leaves": 31,
        "min_rows_in_leaf": 1,
        "l2": 0.0,
        "feature_fraction": 0.1,
        "row_fraction": 0.3,
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
