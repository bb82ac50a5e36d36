"""``upstream train --split``: the patient-disjoint variant registers a model; the studies, a team left out in turn and
earlier origins, register none."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from features import Records
from tests.training.conftest import SMALL, made_up_frames, no_pictures, no_served_model
from training.cross_validation import FEWEST_EVENTS, FIGURES, study
from training.dataset import splits
from training.dataset.labels import last_settled_day
from training.dataset.prepare import prepare
from training.errors import NoChallenger
from training.fitting.boosters import fit
from training.registry import tracking
from training.settings import Settings
from upstream import app

pytestmark = pytest.mark.usefixtures("store_template")

QUICK = {
    **SMALL,
    "splits": {**SMALL["splits"], "origins": 2, "shortest_training": 60},
    "evaluation": {"bootstrap_draws": 10, "stability_refits": 0, "capacity_weeks": 0, "coherence_rows": 100},
    "promotion": {**SMALL["promotion"], "leak_checks": 5},
}


@pytest.fixture(scope="module")
def settings():
    return Settings(**QUICK)


@pytest.fixture(scope="module")
def made_up():
    """The made-up trust of the other tests at twice its size, with people who drift off in every team (there they are
    all in one): a slice that holds a quarter of the people must still have events enough to calibrate on."""
    frames = made_up_frames(people=520)
    frames["referrals"]["team_id"] = [f"t{(n // 3) % 3}" for n in range(len(frames["referrals"]))]
    return Records.from_frames(
        frames, about={"synthetic": True, "source": "made up in a test"}, today=dt.date(2030, 1, 1)
    )


@pytest.fixture(scope="module")
def home(made_up, tmp_path_factory):
    """A home with a store and a trust's own settings, and nothing trained."""
    home = tmp_path_factory.mktemp("study") / "home"
    made_up.save(home / "store")
    (home / "mlflow.yaml").write_text(yaml.safe_dump(Settings(**QUICK).model_dump(mode="json")), encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def command(home):
    return lambda *words: CliRunner().invoke(
        app, ["train", "--home", str(home), *words], env={"UPSTREAM_SETTINGS": str(home / "mlflow.yaml")}
    )


@pytest.fixture(scope="module")
def ready(made_up, settings):
    return prepare(made_up, settings)


def told(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def teams(command):
    return told(command("--split", "leave-one-team-out", "--json"))


@pytest.fixture(scope="module")
def origins(command):
    return told(command("--split", "rolling", "--json"))


def test_each_team_is_tested_by_a_model_that_never_saw_it(teams, ready, settings):
    assert [part["name"] for part in teams["parts"]] == ["t0", "t1", "t2"]
    for part in teams["parts"]:
        own = (ready.spine["team_id"] == part["name"]).to_numpy()
        assert part["people"] == ready.spine["patient_id"][own & ready.split.test].nunique()
        assert part["train_rows"] == (ready.split.train & ~own).sum()
    # One figure made again by hand: fitted without the team, ranked by scikit-learn.
    name, split = next(iter(splits.leave_one_team_out(ready.spine, ready.split)))
    fitted = fit(
        ready.matrix, ready.labels, split.train, split.calibration, settings.outcomes.horizons, settings.training
    )
    label = ready.labels["disengagement_180"].to_numpy()
    at = np.flatnonzero(split.test & ~np.isnan(label))
    found = roc_auc_score(label[at], fitted.by_pair(ready.matrix.values[at])["disengagement_180"])
    assert name == "t0"
    assert teams["parts"][0]["pairs"]["disengagement_180"]["figures"]["auroc"]["value"] == pytest.approx(
        found, abs=1e-6
    )


def test_each_origin_tests_on_its_own_stretch_of_time(origins, ready, made_up, settings):
    last = last_settled_day(made_up, settings.outcomes.settling_days)
    expected = list(splits.rolling_origins(ready.spine, settings.outcomes.longest_horizon, last, settings.splits))
    assert [part["name"] for part in origins["parts"]] == [name for name, _ in expected]
    assert len(expected) == 2
    for part, (name, split) in zip(origins["parts"], expected, strict=True):
        assert part["train_rows"] == split.train.sum()
        assert str(pd.to_datetime(ready.spine["as_of"][split.test]).min().date()) == name
    assert origins["parts"][0]["train_rows"] < origins["parts"][1]["train_rows"]


def test_a_study_states_ranges_and_hides_figures_of_few_events(teams, origins):
    for found_in in (teams, origins):
        assert found_in["synthetic"] is True
        hidden = 0
        for pair in found_in["range"]:
            figures = [part["pairs"][pair]["figures"] for part in found_in["parts"]]
            shown = [one["auroc"]["value"] for one in figures if one]
            hidden += len(figures) - len(shown)
            assert found_in["range"][pair]["splits"] == len(shown)
            if shown:
                assert (found_in["range"][pair]["auroc"]["least"], found_in["range"][pair]["auroc"]["most"]) == (
                    min(shown),
                    max(shown),
                )
            for part in found_in["parts"]:
                events, found = part["pairs"][pair]["events"], part["pairs"][pair]["figures"]
                assert (events is None) == (found is None)
                assert events is None or events >= FEWEST_EVENTS
                assert found is None or all({"value", "low", "high"} == found[name].keys() for name in FIGURES)
        assert found_in["range"]["disengagement_180"]["splits"] == len(found_in["parts"])


def test_a_study_registers_nothing_and_its_parts_are_runs_under_it(home, teams, settings):
    store = tracking.open_store(home, settings.tracking)
    parent = store.client.get_run(teams["run_id"])
    children = store.client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{teams['run_id']}'")
    assert {run.info.run_name for run in children} == {f"leave-one-team-out: {part['name']}" for part in teams["parts"]}
    assert {item.path for item in store.client.list_artifacts(teams["run_id"], "study")} == {
        "study/study.json",
        "study/study.txt",
    }


def test_a_team_without_which_nothing_can_be_learned_is_not_judged_and_the_others_are(settings, tmp_path):
    """Everybody who drifts off is in one team: leave it out, and no model can know what drifting off looks like."""
    one_team = Records.from_frames(made_up_frames(), about={"synthetic": True}, today=dt.date(2030, 1, 1))
    found = study(one_team, settings, tmp_path / "home", "leave-one-team-out")
    assert [part["name"] for part in found.parts] == ["t1", "t2"]
    assert "disengagement has 0 events" in found.not_judged["t0"]
    assert found.lines()[-1].startswith("t0            not judged: disengagement has 0 events")


def test_a_study_with_a_search_or_a_comparison_is_refused(command):
    for more in (("--tune", "2"), ("--compare", "champion"), ("--refits", "200")):
        done = command("--split", "rolling", *more)
        assert done.exit_code == 1
        assert "is a study and registers no model" in done.output


def test_an_unknown_split_is_refused_with_the_known_ones(command):
    done = command("--split", "by-magic")
    assert done.exit_code == 2
    assert all(name in done.output for name in ("temporal", "patients", "leave-one-team-out", "rolling"))


@pytest.mark.slow
def test_the_patient_disjoint_split_trains_a_challenger_on_which_nobody_is_in_two_slices(
    home, command, teams, ready, settings
):
    with pytest.raises(NoChallenger):
        tracking.open_store(home, settings.tracking).version(tracking.CHALLENGER)  # after a study there is none
    with no_pictures(), no_served_model():
        result = told(command("--split", "patients", "--json"))
    found = result["evaluation"]
    assert found["split"] == "patients"
    assert found["slices"][2]["people"] + found["slices"][0]["people"] <= ready.spine["patient_id"].nunique()
    for pair in found["pairs"].values():
        assert pair["unseen_people"]["rows"] == pair["rows"]  # the whole test slice is of people nothing learned from
    store = tracking.open_store(home, settings.tracking)
    assert store.version(tracking.CHALLENGER).version == result["version"]
    assert store.client.get_run(result["run_id"]).data.params["splits.kind"] == "patients"
