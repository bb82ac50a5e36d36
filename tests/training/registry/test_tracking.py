"""MLflow behind one door, without telemetry and without pickle."""

import ast
import os
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

import training
from training.errors import NoChallenger, NoChampion
from training.registry import tracking
from training.settings import TrackingSettings

ROOT = Path(training.__file__).parent


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_only_one_module_imports_mlflow():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if any(name.split(".")[0] == "mlflow" for name in imports_of(path))
    }
    assert found == {"registry/tracking.py"}


def test_telemetry_is_off_and_nothing_is_unpickled():
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_nothing_pickled_lies_among_the_files_of_a_run(trained):
    home, _ = trained
    names = [path.name for path in (home / "artefacts").rglob("*") if path.is_file()]
    assert "model.lgb" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".skops"))]


def test_an_empty_registry_says_what_to_run_next(trained):
    store = tracking.open_store(trained[0], TrackingSettings(registered_model="another"))
    with pytest.raises(NoChallenger, match="run `upstream train` first"):
        store.version(tracking.CHALLENGER)
    with pytest.raises(NoChampion, match="upstream promote"):
        store.version(tracking.CHAMPION)


def test_a_run_that_fails_is_marked_and_changes_no_alias(trained, small_settings):
    home, result = trained
    store = tracking.open_store(home, small_settings.tracking)
    with pytest.raises(ZeroDivisionError), store.run("fails", {}) as run:
        failed = run.run_id
        _ = 1 / 0
    assert store.client.get_run(failed).info.status == "FAILED"
    assert store.version(tracking.CHALLENGER).run_id == result.run_id


def test_a_given_uri_is_used_as_it_is(tmp_path):
    store = tracking.open_store(tmp_path, TrackingSettings(uri="http://mlflow.example"))
    assert (store.uri, store.local) == ("http://mlflow.example", False)


def test_the_commit_is_named_or_unknown():
    commit = tracking.code_commit()
    assert commit == "unknown" or len(commit.removesuffix("-dirty")) == 40


def test_a_store_is_made_without_waiting_for_the_disk_and_written_to_with(tmp_path):
    """MLflow's sixty migrations of an empty file need not be safe from a power cut; everything after them must be."""
    told = []

    def asked(connection, _, statement, *rest):
        if statement.startswith("INSERT INTO experiments"):
            told.append(connection.connection.execute("PRAGMA synchronous").fetchone()[0])

    event.listen(Engine, "before_cursor_execute", asked)
    try:
        store = tracking.open_store(tmp_path / "home", create=True)
        made = len(told)
        store.client.create_experiment("after")
    finally:
        event.remove(Engine, "before_cursor_execute", asked)
    assert set(told[:made]) == {0}
    assert told[made:] == [2]
