"""One simulated trust, trained and published by the command line itself, for every test that looks at the whole."""

from __future__ import annotations

import fcntl
import gc
import itertools
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.scheduling import Together, place_of

ROOT = Path(__file__).resolve().parent.parent
PATIENTS = 600
SMALL_EVALUATION = {
    f"UPSTREAM_MLFLOW_{name}": value
    for name, value in {
        "CONTROLS__BOOSTING_ROWS": "3000",
        "CONTROLS__BOOSTING_ROUNDS": "40",
        "EVALUATION__BOOTSTRAP_DRAWS": "20",
        "EVALUATION__COHERENCE_ROWS": "100000",
        "EVALUATION__ORACLE_DRAWS": "40",
        "EVALUATION__ORACLE_ROWS": "300",
        "EVALUATION__PLANTED_PEOPLE": "40",
        "EVALUATION__STABILITY_REFITS": "2",
        "TRAINING__RANGE_REFITS": "2",
    }.items()
}
"""The model of the demo home is the usual one; its figures rest on fewer draws, because no test asks how exact they
are. ``make demo`` in the gate uses the settings as they are.
"""
SECONDS_TO_START = 120

# Otherwise every program that a test starts would compile each of our modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What tests start in Java (Spark, the HTML checker, generators of clients) ends long before its second compiler and its
# parallel collector have earned their own time back.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# Nearly eight thousand tests and what they import are alive until the end: walking over them all again for every few
# hundred new objects was a quarter of the time of collecting them.
gc.set_threshold(50_000, 20, 50)


# How fast a machine draws examples is no fault of the code. With CI set, Hypothesis draws the same ones each time.
settings.register_profile(
    "any machine",
    settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """What was collected is never garbage, so the collector leaves it out from here on."""
    gc.freeze()


OWN_PRIORITY = os.getpriority(os.PRIO_PROCESS, 0)


def pytest_runtest_teardown() -> None:
    """A nightly run of a test lowers the priority of the worker, and leaves it low where the run is refused: all later
    tests of that worker would wait for those of the others."""
    if os.getpriority(os.PRIO_PROCESS, 0) != OWN_PRIORITY:
        with suppress(PermissionError):  # only root may raise it again
            os.setpriority(os.PRIO_PROCESS, 0, OWN_PRIORITY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Workers run files whole, and those that share a costly fixture together."""
    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With workers, what takes longest starts first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.path.relative_to(ROOT).as_posix()))


def upstream(*words: str, ok: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a person runs it."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "upstream.py"), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "160", **environment},
        timeout=600,
        check=False,
    )
    if ok:
        assert done.returncode == 0, f"upstream {' '.join(words)} failed:\n{done.stdout}\n{done.stderr}"
    return done


def command(*words: str | Path, ok: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """``upstream`` without a process of its own: the same command, what it says and its exit code. Most of the time of
    a process goes into its imports; ``upstream`` and tests/test_wheel.py hold that the commands run as processes."""
    from typer.testing import CliRunner

    from upstream import app

    said = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "160", **environment})
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    if ok:
        assert said.exit_code == 0, f"upstream {' '.join(map(str, words))} failed:\n{said.stdout}\n{said.stderr}"
    return subprocess.CompletedProcess(words, said.exit_code, said.stdout, said.stderr)


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    return command


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, store_template: None) -> Path:
    """A home made by ``upstream demo --no-serve``, once for all workers of a run. Tests that change it work on a
    copy."""

    def make(home: Path) -> None:
        command("demo", "--no-serve", "--patients", str(PATIENTS), "--home", str(home), **SMALL_EVALUATION)

    return once(tmp_path_factory, "demo_home", make)


def once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object], *, wait: bool = True
) -> Path:
    """A folder that one worker makes and all workers of a run read. A worker that asks meanwhile waits, or with
    ``wait=False`` raises BlockingIOError."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    shared = tmp_path_factory.getbasetemp().parent if worker else tmp_path_factory.mktemp("once")
    folder, made = shared / name, shared / f"{name}.made"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not made.exists():
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """From here on a new MLflow store in this process is a copy of one that is made once for all workers of a run.

    MLflow makes a store with sixty migrations, which take three seconds of processor time. Tests of the making itself
    use ``real_stores``; processes (the demo, the wheel, two first trainings at once) make their own.
    """
    from training.registry import tracking

    real, made = tracking.create_tables, []

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tracking, "create_tables", real)
            tracking.open_store(folder, create=True)

    def copied(store: Any) -> None:
        if not made:
            made.append(once(tmp_path_factory, "store_template", make) / tracking.DATABASE)
        with closing(sqlite3.connect(made[0])) as template, closing(sqlite3.connect(store.home / made[0].name)) as new:
            template.backup(new)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "create_tables", copied)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With workers, each kernel of a fresh checkout is compiled before the tests: compiling takes longer than any test.
    One worker compiles the simulator, another the rest, and makes the small trust on the way. Who is done first does
    not wait for the other: of two processes that miss the same kernel one compiles it (features/compile_lock.py)."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.serving.world import make_home
        from training.simulator import simulate

        def simulated(_: Path) -> None:
            simulate(patients=20, years=1, seed=1)

        for name, make in {"simulated": simulated, "made_home": make_home}.items():
            with suppress(BlockingIOError):
                once(tmp_path_factory, name, make, wait=False)


PORTS_A_WORKER = 1_000
_next_port = itertools.count(os.getpid())


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, from a range that only this worker of the run uses.

    The ranges lie below the ports that the system gives to outgoing connections, so nothing else takes one meanwhile.
    """
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    for number in _next_port:
        port = 20_000 + PORTS_A_WORKER * (worker % 12) + number % PORTS_A_WORKER
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                listening.bind(("127.0.0.1", port))
                return port
    raise AssertionError("unreachable")


@contextmanager
def serving(home: Path, *options: str, **environment: str) -> Iterator[str]:
    """``upstream serve`` on a free port of this machine, ended by its own process id."""
    port = free_port()
    words = [sys.executable, str(ROOT / "upstream.py"), "serve", "--home", str(home), "--port", str(port), *options]
    # A file, not a pipe: a pipe that nobody reads fills up and holds up the service that writes its log to it.
    with tempfile.TemporaryFile("a+") as log:
        process = subprocess.Popen(words, env={**os.environ, **environment}, stderr=log, text=True)
        try:
            _wait(process, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=120)


def _wait(process: subprocess.Popen[str], url: str, log: IO[str]) -> None:
    for _ in range(SECONDS_TO_START * 5):
        if process.poll() is not None:
            log.seek(0)
            raise AssertionError(log.read() or "the service ended")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the service did not become ready")


@pytest.fixture(scope="session")
def service(demo_home: Path) -> Iterator[str]:
    """The address of a running service over the demo home."""
    with serving(demo_home, UPSTREAM_ENVIRONMENT="demo") as url:
        yield url
