"""mlflow.yaml and its model: they agree, every setting is explained, and a slip is an error."""

import re

import pytest

from features.errors import SettingsError
from features.settings import CHECKED_OUT
from training.settings import Settings


def test_the_file_states_the_defaults():
    assert Settings.load().model_dump() == Settings().model_dump()


def test_every_setting_in_the_file_has_a_comment():
    lines = CHECKED_OUT.read_text().splitlines()
    bare = [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if re.match(r"  \w+:", line) and "#" not in line and "#" not in above
    ]
    assert not bare


def test_the_settings_file_says_that_mlflow_does_not_define_it():
    assert "not a file that MLflow defines" in CHECKED_OUT.read_text().replace("\n# ", " ")


def test_all_mistakes_are_named_at_once(tmp_path):
    path = tmp_path / "mlflow.yaml"
    path.write_text(
        "training: {treees: 3, max_depth: 9}\noutcomes: {disengaged_reasons: [bored]}\npromotion: {headline: "
        "[admission_7]}\n"
    )
    with pytest.raises(SettingsError) as caught:
        Settings.load(path)
    message = str(caught.value)
    assert "training.treees" in message
    assert "training.max_depth" in message
    assert "bored; the records know" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("promotion: {headline: [admission_7]}", "outcomes.horizons does not train"),
        ("outcomes: {horizons: {admission: [90, 28]}}", "must be rising"),
        ("outcomes: {horizons: {disengagement: [90, 180]}}", "a new silence cannot begin and reach silent_days"),
        ("outcomes: {horizons: {relapse: [90]}}", "the outcomes are admission, disengagement"),
        ("splits: {train_share: 0.7, calibration_share: 0.3}", "what is left is the test slice"),
        ("training: [", "not YAML"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path, content, words):
    path = tmp_path / "mlflow.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=words):
        Settings.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"No settings file at .*other\.yaml"):
        Settings.load(tmp_path / "other.yaml")


def test_a_gate_is_not_set_from_outside(monkeypatch):
    monkeypatch.setenv("UPSTREAM_MLFLOW_PROMOTION__HEADLINE", '["admission_90"]')
    with pytest.raises(SettingsError, match="UPSTREAM_MLFLOW_PROMOTION__HEADLINE: a promotion gate is not set by"):
        Settings.load()


def test_an_environment_variable_overrides_the_file(monkeypatch):
    monkeypatch.setenv("UPSTREAM_MLFLOW_TRACKING__URI", "http://mlflow.example")
    monkeypatch.setenv("UPSTREAM_MLFLOW_TRAINING__TREES", "7")
    settings = Settings.load()
    assert (settings.tracking.uri, settings.training.trees) == ("http://mlflow.example", 7)
    assert settings.training.max_depth == 3
