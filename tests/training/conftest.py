"""One small made-up trust and one training run on it, shared by the tests that need a model and a store."""

import datetime as dt
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from features import Records
from training.settings import Settings

FIRST, DAYS, PEOPLE = dt.date(2022, 1, 3), 1100, 260

SMALL = {
    "cohort": {"history_days": 120},
    "outcomes": {"submission_gap_tolerance": None},
    "splits": {"train_share": 0.5, "calibration_share": 0.25},
    "training": {
        "trees": 25,
        "learning_rate": 0.1,
        "min_rows_in_leaf": 50,
        "threads": 2,
        "refit_folds": 2,
        "range_refits": 2,
    },
    "controls": {"boosting_rows": 300, "boosting_rounds": 2},
    "evaluation": {"bootstrap_draws": 20, "stability_refits": 2, "capacity_weeks": 8, "coherence_rows": 5000},
    "promotion": {
        "headline": ["disengagement_180"],
        "fewest_events": 1,
        "capture_at_least": 0.5,
        "difference_above": -1.0,
        "calibration_slope": [0.2, 5],
        "observed_to_expected": [0.01, 100],
        "worst_group_at_least": None,
        "worst_team_at_least": 0.0,
        "far_below": 0.0,
        "stability_at_least": 0.0,
        "leak_checks": 40,
        "auroc_at_most": None,
    },
}


def made_up_frames(seed=3, people=PEOPLE):
    """People who keep three appointments in four, or one in four; who are missed drift off, come back, and are
    admitted more often."""
    rng = np.random.default_rng(seed)
    contacts, stays, referrals = [], [], []
    for n in range(people):
        patient, flaky, day = f"p{n:04d}", n % 3 == 0, int(rng.integers(0, 20))
        referrals.append((patient, f"r{n}", f"t{n % 3}", FIRST, None, None))
        while day < DAYS:
            drifts = flaky and rng.random() < 0.06
            for _ in range(4 if drifts else 1):
                outcome = "attended" if not drifts and rng.random() < (0.6 if flaky else 0.9) else "did_not_attend"
                contacts.append(
                    (patient, f"c{len(contacts)}", FIRST + dt.timedelta(days=day), "face_to_face", "routine", outcome)
                )
                day += int(rng.integers(30, 45)) if drifts else int(rng.integers(12, 26))
            if rng.random() < (0.05 if flaky else 0.01):
                start = FIRST + dt.timedelta(days=day)
                stays.append((patient, start, start + dt.timedelta(days=10), "emergency", "acute"))
                day += 12
    return {
        "patients": pd.DataFrame({"patient_id": [f"p{n:04d}" for n in range(people)]}),
        "teams": pd.DataFrame(
            {"team_id": ["t0", "t1", "t2"], "kind": ["A06", "A06", "A14"], "weekly_reviews": [5, 8, None]}
        ),
        "referrals": pd.DataFrame(
            referrals, columns=["patient_id", "referral_id", "team_id", "opened_on", "closed_on", "close_reason"]
        ),
        "contacts": pd.DataFrame(
            contacts, columns=["patient_id", "contact_id", "contact_on", "mode", "kind", "outcome"]
        ),
        "stays": pd.DataFrame(stays, columns=["patient_id", "admitted_on", "discharged_on", "method", "ward"]),
    }


class MadeUpTruth:
    """Stands in for the simulator's truth: people who are flaky are at risk."""

    def risk(self, spine, outcomes, draws, seed):
        flaky = spine["patient_id"].str[1:].astype(int) % 3 == 0
        parts = [
            spine[["patient_id", "as_of"]].assign(outcome=name, horizon=days, probability=np.where(flaky, 0.3, 0.02))
            for name, horizons in outcomes.items()
            for days in horizons
        ]
        return pd.concat(parts, ignore_index=True)


@contextmanager
def no_pictures():
    """No gate and no figure rests on a picture, and drawing fifteen of them is a third of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.registry.record.draw.draw", lambda *_: {})
        yield


@contextmanager
def no_served_model():
    """No gate and no figure rests on the copy of the bundle that MLflow can serve, which takes a fifth of a small run;
    tests/training/registry/test_served_model.py looks at the one of the shared run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.registry.tracking.Run.serve", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def small_settings():
    return Settings(**SMALL)


@pytest.fixture(scope="session")
def made_up():
    return Records.from_frames(
        made_up_frames(), about={"synthetic": True, "source": "made up in a test"}, today=dt.date(2030, 1, 1)
    )


@pytest.fixture(scope="session")
def trained(made_up, small_settings, tmp_path_factory, store_template):
    """(home, TrainResult) of one run. Copy the home before changing it."""
    from training.train import train

    home = tmp_path_factory.mktemp("trained") / "home"
    said = []
    result = train(made_up, small_settings, home, truth=MadeUpTruth(), progress=said.append)
    assert len(said) >= 6
    return home, result
