"""The registered model is the served one: MLflow gives the same probabilities as the bundle."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from models.risk_model import RiskModel
from training.dataset.prepare import prepare
from training.registry import tracking

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, of its evaluators and its schemas


@pytest.fixture(scope="module")
def registered(trained, made_up, small_settings):
    """(store, model as MLflow loads it, the bundle's own model, rows of features)."""
    home, result = trained
    store = tracking.open_store(home, small_settings.tracking)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store.uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = mlflow.pyfunc.load_model(f"models:/{small_settings.tracking.registered_model}@challenger")
    yield (
        store,
        loaded,
        RiskModel.load(home / "artefacts" / result.run_id / "artifacts" / "bundle"),
        rows_of(made_up, small_settings),
    )
    mlflow.set_tracking_uri(before)


def rows_of(made_up, small_settings):
    ready = prepare(made_up, small_settings)
    rows = ready.matrix.to_pandas().iloc[np.flatnonzero(ready.split.test)[:300]][list(ready.matrix.names)]
    return rows.reset_index(drop=True), ready.labels[ready.split.test].iloc[:300].reset_index(drop=True)


def of_bundle(model, rows):
    scores = model.score(rows.to_numpy(dtype=np.float32), names=model.feature_names, contributions=False)
    return pd.DataFrame(
        {f"{o}_{h}": scores[o].probability[:, c] for o, days in model.outcomes.items() for c, h in enumerate(days)}
    )


def test_the_registered_model_gives_what_the_bundle_gives(registered):
    _, loaded, bundle, (rows, _) = registered
    found = loaded.predict(rows)
    assert list(found) == ["admission_28", "admission_90", "admission_180", "disengagement_180"]
    np.testing.assert_allclose(found.to_numpy(), of_bundle(bundle, rows).to_numpy(), atol=1e-9, rtol=0)


def test_outcomes_and_horizons_are_parameters(registered):
    _, loaded, bundle, (rows, _) = registered
    found = loaded.predict(rows, params={"outcomes": ["admission"], "horizons": [28, 90]})
    assert list(found) == ["admission_28", "admission_90"]
    np.testing.assert_allclose(found.to_numpy(), of_bundle(bundle, rows)[list(found)].to_numpy(), atol=1e-9, rtol=0)
    with pytest.raises(ValueError, match="no horizon of 30 days; there are 28, 90, 180"):
        loaded.predict(rows, params={"horizons": [30]})


def test_it_states_its_inputs_and_carries_an_example(registered):
    _, loaded, bundle, _ = registered
    assert tuple(loaded.metadata.signature.inputs.input_names()) == bundle.feature_names
    assert {one.name for one in loaded.metadata.signature.params} == {"outcomes", "horizons"}
    assert len(loaded.input_example) == 5


def test_no_file_of_it_is_a_pickle_or_a_cache(registered):
    store, *_ = registered
    files = [path for path in store.artefacts.rglob("*") if path.is_file()]
    # Loading it above may have left what Python compiled beside it; nothing of that was registered.
    names = [path.name for path in files if path.parent.name != "__pycache__"]
    assert "served_model.py" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".nbc", ".nbi", ".pyc"))]


def test_mlflow_evaluates_it(registered):
    _, loaded, _, (rows, labels) = registered
    known = labels["admission_180"].notna()
    frame = rows[known].assign(label=labels["admission_180"][known].astype(float))
    with mlflow.start_run(experiment_id=mlflow.get_experiment_by_name("upstream").experiment_id):
        result = mlflow.models.evaluate(
            lambda some: loaded.predict(some, params={"outcomes": ["admission"], "horizons": [180]}),
            frame,
            targets="label",
            model_type="regressor",
        )
    expected = ((loaded.predict(rows[known])["admission_180"] - frame["label"]) ** 2).mean()
    assert result.metrics["mean_squared_error"] == pytest.approx(expected)


def test_predictions_inputs_and_metrics_of_each_model_are_logged(registered, trained):
    store, *_ = registered
    run = store.client.get_run(trained[1].run_id)
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == ["records"]
    table = pd.read_parquet(store.artefacts / trained[1].run_id / "artifacts" / "evaluation_predictions.parquet")
    pair = table[(table["outcome"] == "admission") & (table["horizon"] == 90)]
    shown = trained[1].evaluation.pairs["admission_90"]
    assert (len(pair), int(pair["label"].sum())) == (shown.rows, shown.event_rows)
    assert "patient_id" not in table
    version = store.find(trained[1].version)
    for outcome in ("admission", "disengagement"):
        own = store.client.get_logged_model(version.tags[f"model_id.{outcome}"])
        found = {metric.key: metric.value for metric in own.metrics}
        for name, pair in trained[1].evaluation.pairs.items():
            if pair.outcome == outcome:
                assert found[f"{name}/auroc"] == pytest.approx(pair.model.auroc.value)


@pytest.mark.slow
def test_mlflow_models_serve_gives_the_same(registered, tmp_path):
    """The whole way: a server of MLflow's own, asked over HTTP."""
    store, _, bundle, (rows, _) = registered
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        free_port = found.getsockname()[1]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store.uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/upstream@challenger"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(free_port)],
            env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 200
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{free_port}/ping", timeout=5)
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
        body = json.dumps({"dataframe_split": json.loads(rows.iloc[:20].to_json(orient="split", double_precision=15))})
        ask = urllib.request.Request(
            f"http://127.0.0.1:{free_port}/invocations", body.encode(), {"Content-Type": "application/json"}
        )
        answer = json.loads(urllib.request.urlopen(ask, timeout=60).read())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    found = pd.DataFrame(answer["predictions"])
    expected = of_bundle(bundle, rows.iloc[:20])[list(found)]
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), atol=1e-9, rtol=0)
