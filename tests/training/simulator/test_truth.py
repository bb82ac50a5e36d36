"""The oracle: replay gives the recorded past, risks are calibrated against what then happened, and discriminate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score as auroc

from features.engine.caseload import caseload
from training.dataset.labels import follow_up
from training.simulator import Truth, TruthError

HORIZONS = {"admission": (28, 90, 180), "disengagement": (90, 180)}


@pytest.fixture(scope="module")
def spine(trust):
    dates = pd.date_range("2023-01-02", "2024-05-06", freq="49D")
    everyone = caseload(trust.records, list(dates.date)).spine
    return everyone.sample(1500, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="module")
def risks(trust, spine):
    long = trust.truth.risk(spine, HORIZONS, draws=20, seed=1)
    return {key: part["probability"].to_numpy() for key, part in long.groupby(["outcome", "horizon"])}


@pytest.fixture(scope="module")
def labels(trust, spine):
    """1 event, 0 none or an exit before one (as the oracle counts), NaN not at risk."""
    followed = follow_up(trust.records, spine)

    def answer(outcome, horizon):
        status = pd.Series(followed.status(outcome, horizon)).astype(str)
        quiet = status.eq("none") | status.str.startswith("exit")
        return np.select([status.eq("event"), quiet], [1.0, 0.0], np.nan)

    return {f"{outcome}_{h}": answer(outcome, h) for outcome, horizons in HORIZONS.items() for h in horizons}


@pytest.mark.parametrize(("outcome", "horizon"), [(o, h) for o, hs in HORIZONS.items() for h in hs])
def test_mean_risk_is_the_share_that_happened(risks, labels, outcome, horizon):
    happened = labels[f"{outcome}_{horizon}"]
    risk = risks[outcome, horizon]
    both = ~np.isnan(happened) & ~np.isnan(risk)
    # Rows of one person on several dates share events, so the error of independent rows is doubled.
    error = 2.0 * np.sqrt(risk[both].mean() / both.sum())
    assert abs(happened[both].mean() - risk[both].mean()) < 2.6 * error + 0.003


@pytest.mark.parametrize(
    ("outcome", "horizon", "low", "high"),
    [
        ("admission", 90, 0.68, 0.92),
        ("admission", 180, 0.70, 0.90),
        ("disengagement", 90, 0.80, 0.99),
        ("disengagement", 180, 0.75, 0.97),
    ],
)
def test_risk_discriminates_but_not_perfectly(risks, labels, outcome, horizon, low, high):
    happened = labels[f"{outcome}_{horizon}"]
    risk = risks[outcome, horizon]
    both = ~np.isnan(happened) & ~np.isnan(risk)
    assert low < auroc(happened[both], risk[both]) < high


def test_longer_horizons_never_carry_less_risk(risks):
    for (outcome, shorter), (_, longer) in [
        (("admission", 28), ("", 90)),
        (("admission", 90), ("", 180)),
        (("disengagement", 90), ("", 180)),
    ]:
        here = ~np.isnan(risks[outcome, shorter])
        assert (risks[outcome, shorter][here] <= risks[outcome, longer][here]).all()


def test_the_answer_does_not_depend_on_the_order_of_the_spine(trust, spine):
    few = spine.head(40)
    forwards = trust.truth.risk(few, {"admission": (90,)}, draws=10)
    backwards = trust.truth.risk(few[::-1], {"admission": (90,)}, draws=10)
    assert (forwards["probability"].to_numpy() == backwards["probability"].to_numpy()[::-1]).all()


def test_a_replay_gives_the_recorded_hospital_stays(trust):
    """In hospital in the replay on exactly the days on which the record has a stay, until late rows may be missing."""
    settled = pd.Timestamp("2024-10-01")
    stays = trust.records["stays"]
    people = stays.loc[stays["admitted_on"].between("2022-02-01", "2024-09-01"), "patient_id"].unique()[:25]
    for patient_id in people:
        course = trust.truth.course(patient_id)
        replayed = set(course.loc[(course["where"] == "inpatient") & (course["day"] < settled), "day"])
        recorded: set[pd.Timestamp] = set()
        for stay in stays[stays["patient_id"] == patient_id].itertuples():
            left = settled if pd.isna(stay.discharged_on) else min(settled, stay.discharged_on)
            recorded |= set(pd.date_range(max(stay.admitted_on, course["day"].iloc[0]), left, inclusive="left"))
        assert replayed == recorded


def test_people_who_were_admitted_had_been_less_well(trust):
    admitted = trust.records["stays"].query("method == 'emergency' and admitted_on > '2022-06-01'").head(40)
    week_before = []
    usual = []
    for stay in admitted.itertuples():
        course = trust.truth.course(stay.patient_id).set_index("day")["severity"]
        week_before.append(course.get(stay.admitted_on - pd.Timedelta(days=7), np.nan))
        usual.append(course.median())
    assert np.nanmean(week_before) > np.nanmean(usual) + 0.2


def test_people_who_died_have_no_true_risk(trust):
    people = trust.records["patients"]
    dead = people.dropna(subset=["died_on"]).head(5)
    spine = pd.DataFrame({"patient_id": dead["patient_id"], "as_of": dead["died_on"] + pd.Timedelta(days=1)})
    assert trust.truth.risk(spine, {"admission": (28,)}, draws=2)["probability"].isna().all()


def test_truth_saved_and_loaded_is_the_same(trust, spine, tmp_path):
    path = trust.truth.save(tmp_path)
    assert json.loads(path.read_text())["synthetic"] is True
    loaded = Truth.load(tmp_path)
    assert loaded == trust.truth
    few = spine.head(20)
    pd.testing.assert_frame_equal(loaded.risk(few, draws=10), trust.truth.risk(few, draws=10))


def test_truth_of_another_mechanism_is_refused(trust, tmp_path):
    path = trust.truth.save(tmp_path)
    path.write_text(path.read_text().replace(f'"version": "{trust.truth.version}"', '"version": "0"'))
    with pytest.raises(TruthError, match="Simulate again"):
        Truth.load(tmp_path)


def test_unknown_people_are_refused(trust):
    with pytest.raises(TruthError, match="never had"):
        trust.truth.risk(pd.DataFrame({"patient_id": ["S999999"], "as_of": ["2023-01-02"]}))


def test_a_missing_folder_says_what_to_look_for(tmp_path):
    with pytest.raises(TruthError, match=r"truth\.json"):
        Truth.load(tmp_path / "nowhere")
