"""MLflow behind one module, without telemetry and without pickle."""

import ast
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from pydantic import ValidationError
from sqlalchemy import event
from sqlalchemy.engine import Engine

import training
from training.errors import NoChallenger, NoChampion, StoreFault
from training.registry import tracking
from training.registry.promotion import promote
from training.registry.store_faults import without_password
from training.settings import Settings, TrackingSettings
from training.train import train

ROOT = Path(training.__file__).parent
pytestmark = pytest.mark.usefixtures("store_template")
REAL = tracking.create_tables


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
    assert found == {"registry/tracking.py", "registry/served_model.py"}  # MLflow itself runs the second


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


def test_a_given_tracking_address_is_used_unchanged(tmp_path):
    store = tracking.open_store(tmp_path, TrackingSettings(uri="http://mlflow.example"))
    assert (store.uri, store.local) == ("http://mlflow.example", False)


def answering(code):
    """A server on loopback that answers every request with ``code``, as a login page or a broken proxy does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(params=[401, 403, 404, 500])
def broken_server(request, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = answering(request.param)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_failing_store_is_an_error_and_not_read_as_empty(broken_server, tmp_path):
    store = tracking.open_store(tmp_path, TrackingSettings(uri=broken_server))
    for ask in (lambda: store.version(tracking.CHAMPION), lambda: store.find("1"), store.check_place):
        with pytest.raises(StoreFault, match=f"the MLflow store at {broken_server} did not answer as it should"):
            ask()


@pytest.mark.parametrize("uri", ["http//typo", "s3://bucket/x", "server.example"])
def test_an_address_that_MLflow_does_not_know_is_refused(uri):
    with pytest.raises(ValidationError, match="no address that MLflow knows"):
        TrackingSettings(uri=uri)


def test_an_unreachable_server_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreFault, match="Check that it is up"):
        tracking.open_store(tmp_path, TrackingSettings(uri="http://127.0.0.1:1")).version(tracking.CHAMPION)


def test_training_asks_the_store_before_it_reads_a_record(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = Settings.load()
    away = settings.model_copy(update={"tracking": TrackingSettings(uri="http://127.0.0.1:1")})
    with pytest.raises(StoreFault, match="Check that it is up"):
        train(None, away, tmp_path)  # without records: the first that is read would be another error


def test_a_password_in_an_address_is_not_shown():
    assert without_password("postgresql://me:secret@db/mlflow away") == "postgresql://***@db/mlflow away"


def test_a_damaged_database_is_named(tmp_path):
    (tmp_path / tracking.DATABASE).write_bytes(b"damaged" * 999)
    with pytest.raises(StoreFault, match="not a database"):
        tracking.open_store(tmp_path).version(tracking.CHAMPION)


def test_a_database_address_needs_a_place_for_files(tmp_path):
    uri = f"sqlite:///{tmp_path}/team.db"
    with pytest.raises(ValidationError, match="artefact_location"):
        TrackingSettings(uri=uri)
    place = (tmp_path / "files").as_uri()
    store = tracking.open_store(tmp_path, TrackingSettings(uri=uri, artefact_location=place))
    store.check_place()
    assert store.client.get_experiment_by_name("upstream").artifact_location == place
    assert list((tmp_path / "files").rglob("tried.txt"))


@pytest.mark.parametrize("name", ["trust?north", "feature%2Fbranch", "a b#c"])
def test_the_store_lies_in_the_home_whatever_its_name(tmp_path, name):
    home = tmp_path / name
    tracking.open_store(home, create=True).check_place()
    assert (home / tracking.DATABASE).is_file()
    # MLflow makes an empty folder of the address beside it; no file may lie there.
    assert all(path.is_relative_to(home) for path in tmp_path.rglob("*") if path.is_file())


def test_a_run_id_in_the_environment_is_ignored_and_a_deleted_experiment_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    store = tracking.open_store(tmp_path, create=True)
    store.check_place()
    with store.run("mine", {}) as run:
        assert run.run_id != "0" * 32
    store.client.delete_experiment(store.client.get_experiment_by_name("upstream").experiment_id)
    with pytest.raises(StoreFault, match="The experiment upstream was deleted"):
        store.check_place()


FIRST_TRAININGS = """
import os, sys, traceback
from training.registry import tracking

waiting, begin = os.pipe()
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        os.close(begin)
        os.read(waiting, 1)
        try:
            tracking.open_store(sys.argv[1], create=True).check_place()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(begin)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
"""Imports MLflow once, which takes longer than the rest, and makes two processes that begin at once."""


@pytest.mark.slow
def test_two_first_trainings_at_once_share_one_store(tmp_path):
    words = [sys.executable, "-c", FIRST_TRAININGS, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr


def test_a_temporary_fault_does_not_lose_the_champion(trained, small_settings, tmp_path, monkeypatch):
    """One failed look-up of the champion while promoting: refused, rather than promoted without a way back."""
    home = shutil.copytree(trained[0], tmp_path / "home")
    promote(home, small_settings, by="x", why="y")
    real = mlflow.MlflowClient.get_model_version_by_alias

    def failing(self, name, alias):
        if alias == tracking.CHAMPION:
            raise MlflowException("503 Service Unavailable")
        return real(self, name, alias)

    monkeypatch.setattr(mlflow.MlflowClient, "get_model_version_by_alias", failing)
    with pytest.raises(StoreFault, match="looking up the champion"):
        promote(home, small_settings, by="x", why="y")


def test_the_commit_is_named_or_unknown():
    commit = tracking.code_commit()
    assert commit == "unknown" or len(commit.removesuffix("-dirty")) == 40


@pytest.fixture
def real_stores(monkeypatch):
    """MLflow makes a new store itself, and not from a copy."""
    monkeypatch.setattr(tracking, "create_tables", REAL)


def test_a_new_store_waits_for_the_disk_only_after_its_migrations(tmp_path, real_stores):
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
