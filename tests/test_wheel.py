"""The wheel in clean environments, run by another user from an empty folder: what a trust installs is whole.

Two environments: the base install alone does the nightly job and serves; with the training extra it also trains.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
NOBODY = 65_533
"""A user id that owns nothing on this machine."""
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
OUR_OWN = ("features", "models", "serving", "training")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that another user can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="upstream-wheel-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    """Built from a copy of what is committed or about to be, so that no build folder is left in the checkout."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if name and (ROOT / name).is_file():
            (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / "source" / name)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(place / "wheels"), str(place / "source"))
    return next((place / "wheels").glob("upstream-*.whl"))


def pip(python: str | Path, *words: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run([str(python), "-m", "pip", *words, *quiet], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and the empty folder and user that its program is run from."""

    bin: Path
    cwd: Path

    def command(self, *words: str) -> list[str]:
        return [*AS_NOBODY, str(self.bin / words[0]), *words[1:]]

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this checkout and nothing of the person who runs the tests."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.cwd), "LANG": "C.UTF-8"}

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words), cwd=self.cwd, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done


def install(place: Path, wheel: Path, name: str, extras: str = "") -> Installed:
    subprocess.run([interpreter(), "-m", "venv", str(place / name)], check=True)
    made = Installed(place / name / "bin", place / f"{name}-home")
    pip(made.bin / "python", "install", "--constraint", str(ROOT / "constraints.txt"), f"{wheel}{extras}")
    made.cwd.mkdir()
    os.chown(made.cwd, NOBODY, NOBODY)
    return made


def interpreter() -> str:
    """A Python that another user can reach: that of the tests, or the machine's own."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can run a program as another user, with setpriv")
    for python in (sys.executable, "/usr/bin/python3"):
        # Through a shell, because setpriv itself still reads what root reads.
        asked = f"{python} -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))'"
        if subprocess.run([*AS_NOBODY, "sh", "-c", asked], cwd="/", capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip("another user can reach no Python of 3.11 or newer that makes environments")


def give(folder: Path) -> None:
    """Everything below ``folder`` to the other user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


def test_the_wheel_holds_what_its_verbs_read(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    committed = {
        path.relative_to(ROOT).as_posix()
        for package in OUR_OWN
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "nhsuk" not in path.parts
    }
    assert committed <= held, committed - held
    assert {"features/mlflow.yaml", "upstream.py"} <= held
    assert not [name for name in held if name.startswith(("tests/", "docs/"))]


def test_the_base_install_ingests_scores_and_serves(place, wheel, demo_home):
    base = install(place, wheel, "base")
    home = base.cwd / ".upstream"
    shutil.copytree(demo_home / "store", base.cwd / "extract")
    shutil.copytree(demo_home / "bundles", home / "bundles")
    shutil.copy(demo_home / "demo.json", home)
    give(base.cwd)
    for package in ("mlflow", "sklearn", "shap"):
        base.run("python", "-c", f"import {package}", code=1)

    base.run("upstream", "ingest", "own", "extract", "--out", ".upstream/store")
    summary = json.loads(base.run("upstream", "score", "--json").stdout)
    assert summary["people"] > 0
    token = base.run("upstream", "token", "--role", "cmht_system").stdout.strip()
    with serving(base) as address:
        assert ask(f"{address}/livez") == {"alive": True}
        assert ask(f"{address}/v1/teams", token)["run"]["as_of"] == summary["as_of"]
        assert "<h1" in urllib.request.urlopen(f"{address}/sign-in").read().decode()
    assert "the audit chain holds" in base.run("upstream", "audit", "verify").stdout
    checks = {c["what"]: c for c in json.loads(base.run("upstream", "doctor", "--json").stdout)["checks"]}
    assert checks["settings"]["found"].endswith("features/mlflow.yaml")
    assert "not installed" in checks["training extra"]["found"]
    assert "pip install 'upstream[training]'" in base.run("upstream", "sync", code=1).stderr


def test_with_the_training_extra_it_goes_from_simulate_to_sync(place, wheel):
    whole = install(place, wheel, "training", "[training]")
    whole.run("upstream", "simulate", "--patients", "300", "--out", ".upstream/store")
    whole.run("upstream", "train")
    whole.run("upstream", "evaluate")
    assert list(whole.cwd.glob(".upstream/reports/*/*.html"))
    whole.run("upstream", "evidence", "--out", "evidence")
    whole.run("upstream", "promote", "--by", "a test", "--why", "a test")
    assert "now serves" in whole.run("upstream", "sync").stdout
    whole.run("upstream", "score")
    assert json.loads(whole.run("upstream", "doctor", "--json").stdout)["ok"]


class serving:
    """``upstream serve`` of an installation, as a context."""

    def __init__(self, installed: Installed) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            installed.command("upstream", "serve", "--port", str(self.port), "--log", "service.log"),
            cwd=installed.cwd,
            env=installed.environment,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> str:
        address = f"http://127.0.0.1:{self.port}"
        while self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=5)
                return address
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"the service ended with {self.process.returncode}")

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def ask(url: str, token: str = "") -> dict:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
