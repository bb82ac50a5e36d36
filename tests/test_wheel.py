"""The wheel in clean environments, run by another user from an empty folder: what a trust installs is whole.

Two environments: the base install alone does the nightly job and serves; with the training extra it also trains.

Two things keep this affordable, and neither lets a missing piece through. Dependencies are not downloaded: an
environment begins empty and gets hard links to the distributions of the tests' own environment that the wheel's
metadata asks for, and those that they ask for in turn. Nothing else is there, so a requirement that pyproject.toml
forgets fails its import, and ``pip check`` holds the versions to the requirements. Compiled kernels are taken from the
checkout, where their stamp is that of the same code (``features/jit.py``); those of ``features/records`` are left out,
so that the other user compiles and keeps some as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from numba.core.caching import UserWideCacheLocator
from packaging.requirements import Requirement

from tests.conftest import ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
NOBODY = 65_533
"""A user id that owns nothing on this machine."""
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
SMALL_MODEL = {
    f"UPSTREAM_MLFLOW_{name}": value
    for name, value in {
        "TRAINING__TREES": "25",
        "TRAINING__RANGE_REFITS": "2",
        "TRAINING__REFIT_FOLDS": "2",
        "CONTROLS__BOOSTING_ROWS": "1000",
        "CONTROLS__BOOSTING_ROUNDS": "10",
        "EVALUATION__BOOTSTRAP_DRAWS": "20",
        "EVALUATION__ORACLE_ROWS": "100",
        "EVALUATION__ORACLE_DRAWS": "10",
        "EVALUATION__STABILITY_REFITS": "1",
        "EVALUATION__COHERENCE_ROWS": "5000",
        "EVALUATION__PLANTED_PEOPLE": "20",
    }.items()
}
"""Over the settings that the wheel brings: the way from records to a served model is walked, how good it is is not
asked."""
VERBS = """
import contextlib, io, json, sys, upstream
said = []
for line in json.loads(sys.argv[1]):
    sys.argv = ["upstream", *line]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            upstream.main()
        except SystemExit as ended:
            if ended.code:
                raise
    said.append(out.getvalue())
print(json.dumps(said))
"""
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
    # Without PYTHONPATH and outside the checkout, whose own metadata pip would take for the installed wheel.
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-m", "pip", *words, *quiet]
    done = subprocess.run(command, cwd="/", env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and the empty folder and user that its program is run from."""

    bin: Path
    cwd: Path
    overrides: Mapping[str, str] = field(default_factory=dict)

    def command(self, *words: str) -> list[str]:
        return [*AS_NOBODY, str(self.bin / words[0]), *words[1:]]

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this checkout and nothing of the person who runs the tests."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.cwd), "LANG": "C.UTF-8", **self.overrides}

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words), cwd=self.cwd, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def verbs(self, *lines: str) -> list[str]:
        """What each verb prints, one after the other in one process: most of the time of a process goes into its
        imports."""
        done = self.run("python", "-c", VERBS, json.dumps([line.split() for line in lines]))
        return json.loads(done.stdout.splitlines()[-1])


def install(place: Path, wheel: Path, name: str, extras: frozenset[str] = frozenset()) -> Installed:
    made = Installed(place / name / "bin", place / f"{name}-home")
    subprocess.run([interpreter(), "-m", "venv", "--without-pip", str(place / name)], check=True)
    site = next((place / name).glob("lib/python*/site-packages"))
    pip(sys.executable, "--python", str(made.bin / "python"), "install", "--no-deps", str(wheel))
    for found in required(Distribution.at(next(site.glob("upstream-*.dist-info"))), extras).values():
        link(found, site)
    pip(sys.executable, "--python", str(made.bin / "python"), "check")
    made.cwd.mkdir()
    take_compiled(site, made.cwd / ".cache" / "numba")
    give(made.cwd)
    return made


def required(of: Distribution, extras: frozenset[str]) -> dict[str, Distribution]:
    """Every distribution that one asks for, directly or through another, by its name, as installed here."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(of, extras)]
    while waiting:
        asking, wanted = waiting.pop()
        for requirement in map(Requirement, asking.requires or ()):
            marker, key = requirement.marker, (requirement.name, frozenset(requirement.extras))
            if key in seen or (marker and not any(marker.evaluate({"extra": e}) for e in wanted | {""})):
                continue
            seen.add(key)
            found[requirement.name] = distribution(requirement.name)
            waiting.append((found[requirement.name], key[1]))
    return found


def link(found: Distribution, site: Path) -> None:
    """One distribution's files into ``site``. Its programs are left out: none of our verbs starts one."""
    for file in found.files or ():
        if ".." not in file.parts and (source := Path(str(file.locate()))).is_file():
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                continue  # asked for under two spellings of its name
            try:
                os.link(source, target)
            except OSError:  # another file system
                shutil.copy(source, target)


def take_compiled(site: Path, cache: Path) -> None:
    """The checkout's compiled kernels, where numba looks for those of a user who may not write to ``site``."""
    for index in ROOT.glob("*/**/__pycache__/*.nb[ic]"):
        package = index.parent.parent.relative_to(ROOT)
        if package.parts[0] in OUR_OWN and package != Path("features/records"):
            kept = cache / UserWideCacheLocator.get_suitable_cache_subpath(str(site / package / "module.py"))
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(index, kept)


def interpreter() -> str:
    """A Python that another user can reach: that of the tests, or the machine's own."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can run a program as another user, with setpriv")
    for python in (sys.executable, "/usr/bin/python3"):
        # Through a shell, because setpriv itself still reads what root reads.
        asked = f"{python} -c 'import venv, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})'"
        if subprocess.run([*AS_NOBODY, "sh", "-c", asked], cwd="/", capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip("another user can reach no Python of this version that makes environments")


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
        if path.is_file() and "__pycache__" not in path.parts and not {"nhsuk", "swagger"} & set(path.parts)
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
    whole = install(place, wheel, "training", frozenset({"training"}))
    own = whole.cwd / "mlflow.yaml"
    brought = next(whole.bin.parent.glob("lib/python*/site-packages/features/mlflow.yaml")).read_text(encoding="utf-8")
    # A trust's own copy, in which no gate is judged: so small a model would be refused, and then nothing is published.
    own.write_text(re.sub(r"fewest_events: 100 ", "fewest_events: 1000000 ", brought), encoding="utf-8")
    give(whole.cwd)
    whole = replace(whole, overrides={**SMALL_MODEL, "UPSTREAM_SETTINGS": str(own)})
    whole.run("upstream", "simulate", "--patients", "400", "--out", ".upstream/store")
    whole.run("upstream", "train")
    _, _, _, synced, _, doctor = whole.verbs(
        "evaluate",
        "evidence --out evidence",
        "promote --by test --why test",
        "sync",
        "score",
        "doctor --json",
    )
    assert list(whole.cwd.glob(".upstream/reports/*/*.html")) and list((whole.cwd / "evidence").iterdir())
    assert "now serves" in synced
    assert json.loads(doctor)["ok"]


class serving:
    """``upstream serve`` of an installation, as a context."""

    def __init__(self, installed: Installed) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            installed.command("upstream", "serve", "--demo", "--port", str(self.port), "--log", "service.log"),
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
        self.process.wait(timeout=120)


def ask(url: str, token: str = "") -> dict:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
