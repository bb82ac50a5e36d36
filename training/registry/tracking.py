"""MLflow: where runs are recorded and models registered. The only module that imports mlflow, apart from the file that
MLflow itself runs (``served_model``).

With ``tracking.uri: null`` the store is SQLite, ``mlflow.db`` under the home folder, and files lie under ``artefacts``
beside it. MLflow writes absolute addresses into its store. A home that was moved can still be read (files are
searched under its present place), but takes no new runs.

Aliases of the registered model: ``challenger`` (last trained), ``champion`` (promoted), ``previous`` (the champion
before it).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

# Set before mlflow is imported, because it reads these once. No telemetry leaves a trust's network, and nothing in
# the store is ever unpickled (docs/architecture.md rule 8).
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# MLflow tries seven times by default, which means minutes of silence if a server is down.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import lightgbm
import mlflow
import mlflow.data
import mlflow.lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ParamSchema, ParamSpec
from sqlalchemy import URL, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from training.errors import ArtefactAbsent, HomeMoved, NoChallenger, NoChampion, NoRun, StoreAbsent, StoreFault
from training.registry.store_faults import ON_THE_WAY, is_absence, naming_faults
from training.settings import TrackingSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about type hints inside MLflow's own modules
    import mlflow.pyfunc

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
DATABASE = "mlflow.db"
BUNDLE, EVALUATION, CHECKS, COMPARISON = "bundle", "evaluation", "checks", "comparison"
EVALUATED = "evaluated"
_REQUIREMENTS = ("lightgbm", "numpy")
_SERVED_REQUIREMENTS = ("lightgbm", "numba", "numpy", "pandas", "pydantic", "pydantic-settings", "pyarrow", "pyyaml")
_SERVED = Path(__file__).with_name("served_model.py")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Version:
    """A version of the registered model: the run that made it, and its tags."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str]


class Run:
    """A run being recorded; made by :meth:`Store.run`."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store, self.run_id = store, run_id

    def parameters(self, values: Mapping[str, Any]) -> None:
        mlflow.log_params({name: str(value)[:6000] for name, value in values.items()})

    def metrics(self, values: Mapping[str, float], model_id: str | None = None) -> None:
        """Logs the finite numbers, for the run and for ``model_id``. A figure that is not defined on these data is
        left out, not logged as 0.
        """
        defined = {name: float(value) for name, value in values.items() if value is not None and np.isfinite(value)}
        mlflow.log_metrics(defined, model_id=model_id)

    def input(self, slices: pd.DataFrame, data_hash: str, source: str) -> None:
        """Logs the input data by hash and by the sizes of its slices. No row of a person is logged."""
        dataset = mlflow.data.from_pandas(slices, source=source, name="records", digest=data_hash[:36])  # type: ignore[attr-defined]
        mlflow.log_input(dataset, context="training")

    def table(self, rows: pd.DataFrame, name: str) -> None:
        """Logs a table as ``name``, which ends in .parquet or .json."""
        mlflow.log_table(rows, name)

    def new_model(self, name: str) -> str:
        """The id of a logged model whose files follow later (:meth:`serve`)."""
        experiment = self.store.client.get_run(self.run_id).info.experiment_id
        made = self.store.client.create_logged_model(experiment, name=name, source_run_id=self.run_id)
        return str(made.model_id)

    def serve(self, model_id: str, bundle: Path, example: pd.DataFrame, result: pd.DataFrame) -> None:
        """Logs the bundle as an MLflow model that gives the same answers as the service. ``example`` holds rows of
        features, ``result`` their probabilities by outcome and horizon.
        """
        outcomes = list(dict.fromkeys(str(name).rpartition("_")[0] for name in result))
        schema = ParamSchema(
            [
                ParamSpec("outcomes", "string", outcomes, shape=(-1,)),
                ParamSpec(
                    "horizons", "long", sorted({int(str(name).rpartition("_")[2]) for name in result}), shape=(-1,)
                ),
            ]
        )
        found = infer_signature(example.astype(np.float64), result)
        signature = ModelSignature(found.inputs, found.outputs, schema)
        mlflow.pyfunc.log_model(
            model_id=model_id,
            python_model=str(_SERVED),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(_ROOT / package) for package in ("models", "features")],
            signature=signature,
            input_example=example.astype(np.float64),
            pip_requirements=list(_SERVED_REQUIREMENTS),
        )

    def child(self, name: str, parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """A finished run under this one: one trial of a search, one team of a study."""
        # A nested run goes to MLflow's default experiment unless the parent's is given.
        experiment = self.store.client.get_run(self.run_id).info.experiment_id
        with mlflow.start_run(run_name=name, nested=True, experiment_id=experiment):
            self.parameters(parameters)
            self.metrics(metrics)

    def files(self, folder: Path, under: str) -> None:
        mlflow.log_artifacts(str(folder), artifact_path=under)

    def booster(
        self, booster: lightgbm.Booster, name: str, example: npt.NDArray[np.floating], columns: tuple[str, ...]
    ) -> str:
        """Logs a booster in LightGBM's own text with its signature, and gives its model id. ``example`` holds rows of
        its input."""
        signature = signature_of(booster, example, columns)
        info = mlflow.lightgbm.log_model(booster, name=name, signature=signature, pip_requirements=list(_REQUIREMENTS))
        if info.signature is None:
            raise NoRun(f"MLflow kept no signature for {name}; its version may have changed: check constraints.txt")
        return str(info.model_id)

    def register(self, model_id: str, tags: Mapping[str, str]) -> Version:
        """Registers a new version of the model, with the logged model as its source."""
        client, name = self.store.client, self.store.settings.registered_model
        try:
            client.create_registered_model(
                name, description="Upstream: risk of disengagement and unplanned psychiatric admission"
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(
            name, source=f"models:/{model_id}", run_id=self.run_id, tags=dict(tags), model_id=model_id
        )
        return _version(made)


@dataclass(frozen=True)
class Store:
    """The MLflow store of a home. Open it with :func:`open_store`."""

    home: Path
    settings: TrackingSettings
    uri: str

    @property
    def client(self) -> mlflow.MlflowClient:
        with self._asked("opening the store"):
            return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def _asked(self, doing: str) -> contextlib.AbstractContextManager[None]:
        """Turns errors of the store into StoreFault."""
        return naming_faults(self.uri, doing, (MlflowException, *ON_THE_WAY))

    @property
    def local(self) -> bool:
        return self.settings.uri is None

    @property
    def artefacts(self) -> Path:
        return self.home / self.settings.artefacts

    @contextlib.contextmanager
    def run(self, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
        """Records a run, and marks it failed if the body raises. Raises HomeMoved if files would be written to the
        old folder.
        """
        # The registry is accessed through `client`, not MLflow's global: once set, the global would not follow the
        # caller's tracking address.
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self.uri)
        try:
            with (
                naming_faults(self.uri, f"recording the run {name}", (MlflowException, SQLAlchemyError)),
                warnings.catch_warnings(),
                mlflow.start_run(run_id=self._begin(name, tags)) as active,
            ):
                # These warnings are about type hints inside MLflow's own modules; users who train a model cannot act on
                # them.
                warnings.filterwarnings("ignore", module=r"mlflow\.")
                yield Run(self, active.info.run_id)
        finally:
            mlflow.set_tracking_uri(before)

    def version(self, alias: str) -> Version:
        """The version that carries ``alias``. Raises NoChallenger, NoChampion or NoRun."""
        try:
            with self._asked(f"looking up the {alias}"):
                try:
                    return _version(self.client.get_model_version_by_alias(self.settings.registered_model, alias))
                except MlflowException as error:
                    if is_absence(error):
                        raise NoRun(f"no alias {alias}") from error
                    raise
        except NoRun as error:
            if alias == CHALLENGER:
                raise NoChallenger("Nothing has been trained in this home: run `upstream train` first.") from error
            if alias == CHAMPION:
                raise NoChampion(
                    "No model has been promoted in this home: run `upstream train`, then `upstream promote`."
                ) from error
            raise NoRun(f"No version of {self.settings.registered_model} has the alias {alias}.") from error

    def find(self, version: str) -> Version:
        """A version by its number."""
        with self._asked(f"looking up version {version}"):
            try:
                return _version(self.client.get_model_version(self.settings.registered_model, version))
            except MlflowException as error:
                if not is_absence(error):
                    raise
                raise NoRun(
                    f"{self.settings.registered_model} has no version {version}: see `upstream evaluate`, or the "
                    f"MLflow page."
                ) from error

    def version_of_run(self, run_id: str) -> str | None:
        """The number of the version that a run made; None if the registry does not hold one (any more)."""
        if not run_id:
            return None
        wanted = f"name = '{self.settings.registered_model}' and run_id = '{run_id}'"
        with self._asked(f"looking up the version of run {run_id}"):
            found = self.client.search_model_versions(wanted, max_results=1)
        return str(found[0].version) if found else None

    def metrics_of(self, run_id: str) -> dict[str, float]:
        """The last value of every metric of a run; empty if the store does not hold the run (any more)."""
        with self._asked(f"reading the metrics of run {run_id}"):
            try:
                return dict(self.client.get_run(run_id).data.metrics) if run_id else {}
            except MlflowException as error:
                if not is_absence(error):
                    raise
                return {}

    def alias(self, alias: str, version: str) -> None:
        with self._asked(f"setting the alias {alias}"):
            self.client.set_registered_model_alias(self.settings.registered_model, alias, version)

    def drop_alias(self, alias: str) -> None:
        self.client.delete_registered_model_alias(self.settings.registered_model, alias)

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        with self._asked(f"tagging version {version}"):
            self._tag(version, tags)

    def _tag(self, version: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_model_version_tag(self.settings.registered_model, version, key, value)

    @contextlib.contextmanager
    def files_of(self, run_id: str, under: str) -> Iterator[Path]:
        """The folder ``under`` among a run's files: in place if the store is local, else downloaded to a private
        folder that is deleted afterwards.
        """
        if self.local:
            folder = self.artefacts / run_id / "artifacts" / under
            if not folder.is_dir():
                raise ArtefactAbsent(
                    f"Run {run_id} has no {under} folder under {self.artefacts}: restore it from a backup, or train "
                    f"again."
                )
            yield folder
            return
        with tempfile.TemporaryDirectory() as private:
            try:
                path = mlflow.artifacts.download_artifacts(
                    run_id=run_id, artifact_path=under, dst_path=private, tracking_uri=self.uri
                )
            except (MlflowException, OSError) as error:
                raise ArtefactAbsent(
                    f"The {under} of run {run_id} could not be fetched from the MLflow server: {error}"
                ) from error
            yield Path(path)

    def check_place(self) -> None:
        """Checks before a long run whether a new run could be recorded: opens a run, writes a file to it, asks for
        logged models and deletes the run. Raises HomeMoved or StoreFault.
        """
        with self._asked("trying the store before the run"):
            client, experiment = self.client, self._experiment()
            run_id = client.create_run(experiment, run_name="trying the store").info.run_id
            try:
                client.log_text(run_id, "written before a training run\n", "tried.txt")
                client.search_logged_models([experiment], max_results=1)
            finally:
                client.set_terminated(run_id)
                client.delete_run(run_id)

    def _begin(self, name: str, tags: Mapping[str, str]) -> str:
        """A new run of our experiment, ignoring MLFLOW_RUN_ID in the environment."""
        return str(self.client.create_run(self._experiment(), run_name=name, tags=dict(tags)).info.run_id)

    def _location(self) -> str | None:
        """Where the files of new runs go; None leaves it to the server."""
        if self.local:
            return self.artefacts.as_uri()
        return self.settings.artefact_location

    def _experiment(self) -> str:
        client = self.client
        found = client.get_experiment_by_name(self.settings.experiment)
        if found is None:
            with _one_at_a_time(self.home):
                found = client.get_experiment_by_name(self.settings.experiment)
                if found is None:
                    return self._create_experiment(client)
        if found.lifecycle_stage == "deleted":
            raise StoreFault(
                f"The experiment {self.settings.experiment} was deleted: restore it (mlflow experiments restore "
                f"--experiment-id {found.experiment_id}), or name another one in tracking.experiment."
            )
        written = Path(unquote(urlparse(found.artifact_location).path))
        if self.local and written != self.artefacts:
            raise HomeMoved(
                f"This home was made at {written.parent} and now lies at {self.home}. MLflow keeps the old address, "
                f"and a new run would write there. "
                "Syncing, scoring and serving work as they are; to train, move it back or name a new --home."
            )
        return str(found.experiment_id)

    def _create_experiment(self, client: mlflow.MlflowClient) -> str:
        """A new experiment; if another training was quicker, its experiment."""
        try:
            return str(client.create_experiment(self.settings.experiment, artifact_location=self._location()))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            made = client.get_experiment_by_name(self.settings.experiment)
            if made is None:
                raise
            return str(made.experiment_id)


@contextlib.contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    """Holds a lock of ``home``, so that two first trainings do not both create the store."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def open_store(home: str | Path, settings: TrackingSettings | None = None, *, create: bool = False) -> Store:
    """The store of ``home``. Raises StoreAbsent if there is none, unless ``create`` (the first use of SQLite takes
    a few seconds)."""
    settings, home = settings or TrackingSettings(), Path(home).resolve()
    database = home / DATABASE
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if settings.uri is not None:
        return Store(home, settings, settings.uri)
    address = URL.create("sqlite", database=str(database)).render_as_string(hide_password=False)
    store = Store(home, settings, address)
    if database.is_file() and not create:
        return store
    if not create:
        raise StoreAbsent(
            f"No MLflow store at {database}: run `upstream train --home {home}` first, or name the home that holds one."
        )
    with _one_at_a_time(home):
        if not database.is_file():
            create_tables(store)
    return store


def create_tables(store: Store) -> None:
    """Makes MLflow create the tables of a new SQLite store, which it does on first use."""
    with _without_waiting_for_the_disk():
        store.client.search_experiments()


@contextlib.contextmanager
def _without_waiting_for_the_disk() -> Iterator[None]:
    """Speeds up the creation of the SQLite store. MLflow creates it with some sixty migrations, each of which waits
    for the disk: five to ten seconds. A new file has nothing to lose, so connections opened here do not wait for the
    disk; later ones do.
    """
    opened: list[Any] = []

    def connected(connection: Any, _: Any) -> None:
        opened.append(connection)
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", connected)
    try:
        yield
    finally:
        event.remove(Engine, "connect", connected)
        for connection in opened:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed already
                connection.execute("PRAGMA synchronous=FULL")


def signature_of(
    booster: lightgbm.Booster, example: npt.NDArray[np.floating], columns: tuple[str, ...]
) -> ModelSignature:
    """Inputs (one double per column) and output of a booster."""
    frame = pd.DataFrame(np.asarray(example, dtype=np.float64), columns=list(columns))
    return infer_signature(frame, np.asarray(booster.predict(frame.to_numpy(), num_threads=1)))


def code_commit() -> str:
    """The commit of this checkout, with ``-dirty`` where files differ from it; ``unknown`` outside git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}-dirty" if _git("status", "--porcelain") else commit
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(_ROOT), *words], capture_output=True, text=True, timeout=20, check=True
    ).stdout.strip()


def _version(found: Any) -> Version:
    return Version(str(found.name), str(found.version), str(found.run_id), dict(found.tags))
