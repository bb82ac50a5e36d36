"""Options of ``upstream train`` reach the run. What a study refuses is held by tests/training/test_cross_validation."""

import pytest
from typer.testing import CliRunner

from training.errors import NotEnoughData
from training.settings import Settings
from upstream import app


@pytest.fixture
def settings_of_a_run(made_up, tmp_path, monkeypatch):
    """The settings with which ``upstream train`` starts its run, by the words of the command line."""
    home, asked = tmp_path / "home", []
    made_up.save(home / "store")

    def run(records, settings, *_):
        asked.append(settings)
        raise NotEnoughData("no further")

    monkeypatch.setattr("training.train.train", run)

    def of(*words):
        done = CliRunner().invoke(app, ["train", "--home", str(home), *words])
        assert (done.exit_code, len(asked)) == (1, 1), done.output
        return asked.pop()

    return of


def test_200_refits_are_one_command_and_change_nothing_else(settings_of_a_run):
    plain = settings_of_a_run()
    asked = settings_of_a_run("--refits", "200")
    assert asked.evaluation.stability_refits == 200 != plain.evaluation.stability_refits
    assert asked == plain.with_options(refits=200)
    assert plain == Settings.load()
    assert settings_of_a_run("--refits", "7", "--tune", "3") == plain.with_options(trials=3, refits=7)


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_of_refits_that_cannot_be_is_refused(number, tmp_path):
    done = CliRunner().invoke(app, ["train", "--home", str(tmp_path), "--refits", number])
    assert done.exit_code == 2
    assert "--refits" in done.output
