"""``upstream sync``: the champion from a SQLite file and from a real MLflow server, and what changed when it moves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from models import BundleDamaged, RiskModel
from models.publishing import current_bundle, last_good_bundle, write_bundle
from tests.conftest import free_port
from tests.models import conftest as parts
from training.registry import tracking
from training.registry.sync import lines, sync
from training.settings import TrackingSettings

pytestmark = pytest.mark.usefixtures("store_template")

# The figures of the two runs that are made champion one after the other.
FIRST = {"admission_90/auroc": 0.70, "admission_90/scaled_brier": 0.05, "admission_90/prevalence": 0.04}
SECOND = {"admission_90/auroc": 0.75, "admission_90/calibration_slope": 1.01, "admission_90/prevalence": 0.04}


@pytest.fixture(scope="module")
def two_parts():
    """Two models: the second reads another feature in place of one, and scores admission at one horizon fewer."""
    first, second = parts.train_parts(trees=4), parts.train_parts(trees=5, seed=1)
    features = list(second["features"])
    features[2] = parts.FeatureDouble("kept_share", "missed_contacts", unit="share")
    second["features"] = tuple(features)
    return first, second


def register(home, settings, parts, metrics):
    """A recorded run with its bundle and a registered version, as ``upstream train`` leaves them; made champion."""
    store = tracking.open_store(home, settings, create=True)
    with store.run("made in a test", {}) as run:
        parts = parts | {"provenance": {"synthetic": True, "run_id": run.run_id, "model_version": "made"}}
        folder = write_bundle(home / "made" / run.run_id, **parts)
        run.metrics(metrics)
        run.files(folder, tracking.BUNDLE)
        (store.client.search_registered_models() or store.client.create_registered_model(settings.registered_model))
        made = store.client.create_model_version(
            settings.registered_model, source=f"runs:/{run.run_id}/bundle", run_id=run.run_id
        )
    store.alias(tracking.CHAMPION, made.version)
    return folder.name


def check(home, settings, two_parts):
    first, second = two_parts
    register(home, settings, first, FIRST)
    state = sync(home, settings)
    assert (state["version"], state["changed"], state["previous_bundle_id"], state["changes"]) == (
        "1",
        True,
        None,
        None,
    )
    assert lines(state) == [f"version 1 now serves: bundle {state['bundle_id']}, not signed"]
    assert sync(home, settings)["changed"] is False

    register(home, settings, second, SECOND)
    moved = sync(home, settings)
    assert json.loads((home / "sync.json").read_text()) == moved
    assert (moved["version"], moved["previous_bundle_id"]) == ("2", state["bundle_id"])
    assert moved["changes"] == {
        "version": "1",
        "features_added": ["kept_share"],
        "features_removed": ["missed_share"],
        "outcomes_added": [],
        "outcomes_removed": [],
        "metrics": {
            "admission_90/auroc": {"before": 0.70, "now": 0.75},
            "admission_90/calibration_slope": {"before": None, "now": 1.01},
            "admission_90/scaled_brier": {"before": 0.05, "now": None},
        },
    }
    assert lines(moved) == [
        f"version 2 now serves: bundle {moved['bundle_id']}, not signed",
        f"before: version 1, bundle {state['bundle_id']}",
        "features added: kept_share",
        "features removed: missed_share",
        "admission_90/auroc: 0.700 before, 0.750 now",
        "admission_90/calibration_slope: not recorded before, 1.010 now",
        "admission_90/scaled_brier: 0.050 before, not recorded now",
    ]
    assert (
        RiskModel.load(home / "bundles").manifest.bundle_id
        == moved["bundle_id"]
        == current_bundle(home / "bundles").name
    )
    assert last_good_bundle(home / "bundles").name == state["bundle_id"]


def test_the_champion_of_a_sqlite_file(tmp_path, two_parts):
    home, settings = tmp_path / "home", TrackingSettings()
    check(home, settings, two_parts)
    # What served is not in the registry any more: said, not guessed.
    shutil.rmtree(home / "bundles")
    sync(home, settings)
    store = tracking.open_store(home, settings)
    assert (store.version_of_run("gone"), store.metrics_of("gone"), store.version_of_run("")) == (None, {}, None)


@pytest.fixture
def mlflow_server(tmp_path):
    """A real MLflow server on this machine, with its own database and artefacts."""
    port = free_port()
    where = tmp_path / "server"
    where.mkdir()
    command = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{where}/server.db",
        "--artifacts-destination",
        str(where / "artefacts"),
    ]
    with (where / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command],
            cwd=where,
            # Its consumers of background jobs import MLflow in six processes, and no test asks for a job.
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while True:
                assert server.poll() is None and time.monotonic() < deadline, (where / "log").read_text()[-2000:]
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.3)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


@pytest.mark.slow
def test_the_champion_of_an_mlflow_server(tmp_path, two_parts, mlflow_server, monkeypatch):
    home, settings = tmp_path / "home", TrackingSettings(uri=mlflow_server)
    check(home, settings, two_parts)
    assert not (home / "mlflow.db").exists()
    # A bundle that was damaged on the server: the served bundle stays.
    serving = current_bundle(home / "bundles")
    store = tracking.open_store(home, settings)
    champion = store.version(tracking.CHAMPION)
    (wrong,) = (tmp_path / "server" / "artefacts").rglob(f"{champion.run_id}/artifacts/bundle/card.json")
    wrong.write_text("{}")
    with pytest.raises(BundleDamaged, match=r"card\.json"):
        sync(home, settings)
    assert current_bundle(home / "bundles") == serving
