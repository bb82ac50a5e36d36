"""One run, end to end: what is in MLflow, what is in the bundle, and that the two agree with the report."""

import json
from urllib.parse import urlparse

import lightgbm
import mlflow
import numpy as np
import pytest

from features import build
from features.catalogue import CATALOGUE
from models import RiskModel
from tests.training.conftest import MadeUpTruth, no_pictures, no_served_model
from training.dataset.prepare import prepare
from training.errors import HomeMoved, NoChallenger, NotEnoughData
from training.evaluation import report
from training.evaluation.schema.evaluation import Evaluation
from training.registry import comparison, tracking
from training.registry.promotion import promote
from training.settings import Settings
from training.train import train

pytestmark = pytest.mark.usefixtures("store_template")


@pytest.fixture(scope="module")
def run(trained, small_settings):
    home, result = trained
    store = tracking.open_store(home, small_settings.tracking)
    return store, store.client.get_run(result.run_id), result


def test_the_run_holds_what_a_data_scientist_compares(run, made_up):
    store, logged, result = run
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["data_hash"] == made_up.data_hash
    assert logged.data.tags["synthetic"] == "true"
    assert {"code_commit", "feature_list_hash"} <= logged.data.tags.keys()
    assert logged.data.params["training.trees"] == "25"
    assert logged.data.params["people"] == "260"
    assert logged.data.tags["feature_list_hash"] == logged.data.params["feature_list_hash"]
    assert {
        "admission_28/auroc",
        "latency/one_row_ms",
        "leakage/checks",
        "disengagement_180/calibration_slope",
        "disengagement_180/best_rule_auroc",
        "seconds/fit",
    } <= logged.data.metrics.keys()
    names = {item.path for item in store.client.list_artifacts(result.run_id)}
    assert names == {
        "bundle",
        "checks",
        "evaluated",
        "evaluation",
        "evaluation_predictions.parquet",
        "plots",
        "settings",
    }
    assert {item.path for item in store.client.list_artifacts(result.run_id, "checks")} == {
        f"checks/{name}" for name in ("exposure.json", "latency.json", "leakage.json", "leakage.txt")
    }
    assert "evaluation/evaluation.html" in {i.path for i in store.client.list_artifacts(result.run_id, "evaluation")}
    assert "bundle/manifest.json" in {item.path for item in store.client.list_artifacts(result.run_id, "bundle")}
    assert any(item.path.endswith(".png") for item in store.client.list_artifacts(result.run_id, "plots"))


def test_every_metric_is_the_figure_of_the_evaluation(run):
    store, logged, result = run
    with store.files_of(result.run_id, tracking.EVALUATION) as folder:
        written = json.loads((folder / "evaluation.json").read_text())
    assert written == result.evaluation.as_json()
    for name, value in report.flat_metrics(Evaluation.model_validate(written)).items():
        assert logged.data.metrics[name] == pytest.approx(value)


def test_both_boosters_are_logged_with_a_signature_over_the_features_and_the_horizon(run):
    store, _, result = run
    version = store.version(tracking.CHALLENGER)
    assert (version.version, version.run_id) == (result.version, result.run_id)
    for outcome in ("admission", "disengagement"):
        written = store.client.get_logged_model(version.tags[f"model_id.{outcome}"]).artifact_location
        info = mlflow.models.Model.load(urlparse(written).path)
        assert info.signature is not None
        assert info.signature.inputs.input_names() == [*CATALOGUE.names, "horizon_days"]
        assert info.flavors["lightgbm"]["model_class"] == "lightgbm.basic.Booster"


def test_the_bundle_scores_as_the_evaluated_model_and_adds_up(run, made_up, small_settings):
    store, _, result = run
    ready = prepare(made_up, small_settings)
    spine = ready.spine[ready.split.test].iloc[:40]
    with store.files_of(result.run_id, tracking.BUNDLE) as folder:
        model = RiskModel.load(folder)
        booster = lightgbm.Booster(model_file=folder / "booster_admission.txt")
    assert model.manifest.run_id == result.run_id
    assert model.manifest.data_hash == made_up.data_hash
    assert model.manifest.synthetic
    matrix = build(made_up, spine)
    scores = model.score(matrix)
    for outcome in scores.values():
        logit = np.log(outcome.probability / (1 - outcome.probability))
        np.testing.assert_allclose(
            logit, outcome.base + outcome.horizon_part + outcome.contributions.sum(axis=2), atol=1e-6
        )
        assert (np.diff(outcome.probability, axis=1) >= -1e-12).all()
    assert booster.num_feature() == len(CATALOGUE.names) + 1


def test_the_page_says_that_the_data_is_synthetic_and_shows_the_figures(run):
    store, _, result = run
    with store.files_of(result.run_id, tracking.EVALUATION) as folder:
        page = (folder / "evaluation.html").read_text()
    assert "Synthetic data" in page
    shown = result.evaluation.pairs["disengagement_180"]
    assert f"{shown.model.auroc.value:.3f}" in page
    assert shown.rule.label in page
    assert page.count("<svg") >= 6
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_the_evaluation_names_the_benchmarks_of_the_model(run):
    _, _, result = run
    for name, pair in result.evaluation.pairs.items():
        assert len(pair.contenders) == 15, name  # model, three controls and eleven rules
        assert pair.oracle.rows > 0
        assert pair.unseen_people.rows < pair.rows
    assert result.evaluation.attrition[-1].left > 0
    rows = report.table(result.evaluation)
    assert [(row["outcome"], row["horizon"]) for row in rows] == [
        ("admission", 28),
        ("admission", 90),
        ("admission", 180),
        ("disengagement", 180),
    ]
    assert all(row["oracle_auroc"] > 0.5 for row in rows if row["outcome"] == "disengagement")


def steady(metrics):
    """The metrics that a clock has no part in."""
    return {name: value for name, value in metrics.items() if not name.startswith(("seconds/", "latency/"))}


@pytest.fixture(scope="module")
def second(made_up, small_settings, tmp_path_factory):
    """(home, settings, first run, second run): the same training again in a new home, promoted, then a search and a
    comparison with that champion."""
    home = tmp_path_factory.mktemp("second") / "home"
    with no_pictures(), no_served_model():
        first = train(made_up, small_settings, home, truth=MadeUpTruth())
    assert promote(home, small_settings, by="a test", why="to compare with").promoted
    changed = small_settings.model_copy(
        update={
            "tuning": small_settings.tuning.model_copy(update={"trials": 2}),
            "evaluation": small_settings.evaluation.model_copy(update={"bootstrap_draws": 5, "stability_refits": 0}),
        }
    )
    with no_pictures(), no_served_model():
        return home, changed, first, train(made_up, changed, home, compare="champion")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_metrics_twice(trained, second, small_settings):
    logged = []
    for home, run_id in ((trained[0], trained[1].run_id), (second[0], second[2].run_id)):
        logged.append(steady(tracking.open_store(home, small_settings.tracking).client.get_run(run_id).data.metrics))
    assert len(logged[0]) > 80
    assert logged[0] == logged[1]
    assert trained[1].evaluation == second[2].evaluation


def test_challenger_and_champion_stand_side_by_side_on_the_same_rows(second):
    home, settings, first, result = second
    found = result.comparison
    assert (found["champion"], found["challenger"]) == (first.version, result.version)
    assert found["champion_learned_from_these_dates"] is False
    for name, pair in found["pairs"].items():
        before = first.evaluation.pairs[name].model.figures()
        now = result.evaluation.pairs[name].model.figures()
        assert pair["rows"] == result.evaluation.pairs[name].rows
        for figure in comparison.FIGURES:
            one = pair[figure]
            assert one["champion"]["value"] == pytest.approx(before[figure].value, abs=2e-6), (name, figure)
            assert one["challenger"]["value"] == pytest.approx(now[figure].value, abs=2e-6), (name, figure)
            assert one["difference"]["value"] == pytest.approx(
                one["challenger"]["value"] - one["champion"]["value"], abs=3e-6
            )
    store = tracking.open_store(home, settings.tracking)
    with store.files_of(result.run_id, tracking.COMPARISON) as folder:
        assert json.loads((folder / comparison.FILE).read_text()) == json.loads(json.dumps(found))
    metrics = store.client.get_run(result.run_id).data.metrics
    assert metrics["admission_90/auroc_over_champion"] == found["pairs"]["admission_90"]["auroc"]["difference"]["value"]
    assert any("challenger" in line and "champion" in line for line in comparison.lines(found))


def test_each_trial_of_a_search_is_a_run_under_its_training(second):
    home, settings, _, result = second
    store = tracking.open_store(home, settings.tracking)
    parent = store.client.get_run(result.run_id)
    children = store.client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'")
    assert len(children) == 2 * (settings.tuning.trials + 1)  # two outcomes; trial 0 is what the settings say
    for outcome in ("admission", "disengagement"):
        own = [run for run in children if run.info.run_name.startswith(outcome)]
        best = min(own, key=lambda run: run.data.metrics["log_loss"])
        trained_with = {k: v for k, v in parent.data.params.items() if k.startswith(f"training.by_outcome.{outcome}.")}
        assert trained_with.pop(f"training.by_outcome.{outcome}.larger") == "[]"  # what was found holds for this store
        assert {k.rpartition(".")[2]: float(v) for k, v in trained_with.items()} == pytest.approx(
            {k: float(v) for k, v in best.data.params.items()}
        )


def test_a_moved_home_is_refused_for_training_with_advice(trained, made_up, small_settings, tmp_path):
    home, result = trained
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / tracking.DATABASE).write_bytes((home / tracking.DATABASE).read_bytes())
    store = tracking.open_store(moved, small_settings.tracking)
    with pytest.raises(HomeMoved, match="name a new --home"), store.run("x", {}):
        pass
    assert store.version(tracking.CHALLENGER).run_id == result.run_id


def test_a_failed_training_leaves_no_challenger_and_gives_the_reason(made_up, small_settings, tmp_path):
    too_few = made_up.select(made_up.patient_ids[:6])
    with pytest.raises(NotEnoughData, match=r"bring|nothing to learn|cannot be calibrated"):
        train(too_few, small_settings, tmp_path / "few")
    nobody = Settings(
        **{
            **small_settings.model_dump(),
            "cohort": {**small_settings.cohort.model_dump(), "in_scope_team_kinds": ["X99"]},
        }
    )
    with pytest.raises(NotEnoughData, match="Nobody is on a caseload") as refused:
        train(made_up, nobody, tmp_path / "nobody")
    assert "are not in cohort.in_scope_team_kinds, which holds X99: write those kinds" in str(refused.value)
    with pytest.raises(NoChallenger):
        tracking.open_store(tmp_path / "few").version(tracking.CHALLENGER)


def test_what_serves_was_fitted_again_on_everything_and_the_card_says_so(run):
    """The evaluated model stopped before the test slice; the served one learned to the end, and differs."""
    store, _, result = run
    with store.files_of(result.run_id, tracking.BUNDLE) as folder:
        served = RiskModel.load(folder)
    with store.files_of(result.run_id, tracking.EVALUATED) as folder:
        evaluated = RiskModel.load(folder)
    (learned,) = served.manifest.trained_on["slices"]
    stopped = next(one for one in evaluated.manifest.trained_on["slices"] if one["slice"] == "train")
    assert learned["last"] > stopped["last"] and learned["rows"] > stopped["rows"]
    until = served.card["served_model"]["trained_until"]
    assert until["admission_28"] > until["admission_180"] > stopped["last"], (
        "each horizon has its own last complete day"
    )
    assert "no later row" in served.card["served_model"]["not_tested"]
    assert served.manifest.digest != evaluated.manifest.digest
