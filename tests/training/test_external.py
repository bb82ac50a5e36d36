"""A bundle that exists, judged on other records, and calibrated on them: one command each."""

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from features import Records
from models.bundle.manifest import verify
from models.risk_model import RiskModel
from tests.training.conftest import SMALL, made_up_frames, no_pictures, no_served_model
from training.errors import SeenBefore, ShapeError
from training.evaluation import page
from training.evaluation.schema.evaluation import Evaluation
from training.evaluation.validation import external
from training.registry import tracking
from training.registry.promotion import promote
from training.settings import Settings
from training.train import train

pytestmark = pytest.mark.usefixtures("store_template")

ABOUT = {"synthetic": True, "source": "made up in a test"}


@pytest.fixture(scope="module")
def elsewhere():
    """Another trust of the same kind."""
    return Records.from_frames(made_up_frames(seed=8), about=ABOUT, today=dt.date(2030, 1, 1))


@pytest.fixture(scope="module")
def bundle(trained):
    home, result = trained
    return home / "artefacts" / result.run_id / "artifacts" / tracking.BUNDLE


@pytest.fixture(scope="module")
def found(bundle, elsewhere, small_settings):
    return external.validate(RiskModel.load(bundle), elsewhere, small_settings)


def test_every_outcome_of_the_bundle_is_judged_with_intervals(found, bundle):
    assert set(found.pairs) == {"admission_28", "admission_90", "admission_180", "disengagement_180"}
    for pair in found.pairs.values():
        for name in (
            "auroc",
            "calibration_slope",
            "calibration_intercept",
            "observed_to_expected",
            "captured_at_slots",
        ):
            one = pair.model.figures()[name]
            assert one.low <= one.value <= one.high, name
        assert pair.groups and pair.rows > 500
        assert set(pair.contenders) >= {"model", "most_stays"} or pair.best_rule in pair.contenders
    assert found.external.bundle_id == verify(bundle).bundle_id


def test_nothing_was_fitted_and_the_report_says_what_cannot_be_known(found):
    assert {one.why for pair in found.pairs.values() for one in pair.not_judged.values()} == {external.NOT_FITTED}
    said = " ".join(found.external.cannot_be_known)
    assert "has no label" in said and "do not say who was shown a score" in said
    assert "What cannot be known from these records:" in external.lines(found)


def test_the_report_is_a_page_and_its_json(found, tmp_path):
    page.write(found, tmp_path)
    assert "had no part in making it" in (tmp_path / page.PAGE_NAME).read_text()
    assert Evaluation.read((tmp_path / page.JSON_NAME).read_bytes()) == found


def test_the_records_of_the_training_are_refused(bundle, made_up, small_settings):
    with pytest.raises(SeenBefore, match="every figure would flatter it"):
        external.validate(RiskModel.load(bundle), made_up, small_settings)


def test_one_command_judges_a_bundle_on_a_store(bundle, elsewhere, tmp_path, monkeypatch):
    from upstream import app

    elsewhere.save(tmp_path / "store")
    settings = tmp_path / "mlflow.yaml"
    settings.write_text(json.dumps(SMALL))  # JSON is YAML
    monkeypatch.setenv("UPSTREAM_SETTINGS", str(settings))
    call = ["evaluate", "--bundle", str(bundle), "--on", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert "nothing was fitted on them" in done.output
    assert (tmp_path / "out" / page.PAGE_NAME).exists() and (tmp_path / "out" / page.JSON_NAME).exists()


def test_evaluate_refuses_a_bundle_without_a_store(tmp_path, capfd):
    from upstream import app

    done = CliRunner().invoke(app, ["evaluate", "--bundle", str(tmp_path)])
    assert done.exit_code != 0
    assert "--bundle and --on together" in done.output + capfd.readouterr().err


@pytest.fixture(scope="module")
def recalibrated(bundle, elsewhere, small_settings, tmp_path_factory):
    home = tmp_path_factory.mktemp("recalibrated") / "home"
    with no_pictures(), no_served_model():
        return home, train(elsewhere, small_settings, home, bundle=bundle)


def test_a_recalibrated_bundle_keeps_the_trees_and_is_a_bundle_of_its_own(bundle, recalibrated):
    home, result = recalibrated
    made = home / "artefacts" / result.run_id / "artifacts" / tracking.BUNDLE
    before, after = verify(bundle), verify(made)
    assert after.bundle_id != before.bundle_id
    assert after.notes["recalibrated_from"] == before.bundle_id
    assert after.data_hash != before.data_hash
    old, new = RiskModel.load(bundle), RiskModel.load(made)
    for outcome, entry in before.outcomes.items():
        kept = (bundle / entry.booster).read_text(), (made / entry.booster).read_text()
        trees = [text[text.index("Tree=0") : text.index("end of trees")] for text in kept]
        assert trees[0] == trees[1]
        assert old.calibration(outcome) != new.calibration(outcome)
    assert before.bundle_id in new.card["served_model"]["fitted_on"] or before.bundle_id in json.dumps(new.card)


def test_it_is_a_challenger_with_its_own_gates_and_record(recalibrated, small_settings):
    home, result = recalibrated
    store = tracking.open_store(home, small_settings.tracking)
    assert store.version(tracking.CHALLENGER).version == result.version
    decision = promote(home, small_settings, by="test", why="calibrated on our own records")
    assert {gate.name.partition(".")[2] for gate in decision.gates} >= {"calibration_slope", "stability"}


def test_other_days_or_the_same_records_are_refused(bundle, made_up, elsewhere, small_settings, tmp_path):
    with pytest.raises(SeenBefore, match="calibrating it on them again"):
        train(made_up, small_settings, tmp_path / "same", bundle=bundle)
    other = Settings(**{**SMALL, "outcomes": {**SMALL["outcomes"], "horizons": {"disengagement": [120, 180]}}})
    with pytest.raises(ShapeError, match=r"outcomes\.horizons in mlflow.yaml asks for other days of disengagement"):
        train(elsewhere, other, tmp_path / "other", bundle=bundle)
