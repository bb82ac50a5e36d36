"""What is installed, and what is not: the base install serves and scores, and training stays an extra."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[\s;<>=!~\[]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def closure(requirements: list[str]) -> set[str]:
    """Every package that these requirements bring, extras of theirs left out."""
    found: set[str] = set()
    waiting = [name_of(r) for r in requirements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            waiting += [name_of(r) for r in requires(name) or [] if "extra ==" not in r]
        except PackageNotFoundError:
            continue
    return found


def test_the_base_install_holds_no_mlflow_shap_or_scikit_learn():
    assert not closure(PROJECT["dependencies"]) & {"mlflow", "mlflow-skinny", "shap", "scikit-learn", "matplotlib"}


def test_every_package_that_is_installed_is_pinned_without_an_address():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", pin) for pin in pins)
    pinned = {name_of(pin) for pin in pins}
    direct = {
        name_of(r)
        for r in (
            *PROJECT["dependencies"],
            *PROJECT["optional-dependencies"]["training"],
            *PROJECT["optional-dependencies"]["test"],
        )
    }
    assert direct <= pinned, direct - pinned


def test_every_dependency_says_what_it_saves_us_from_writing():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.scripts]")[0].splitlines()
    for line in lines:
        if re.match(r'\s+"[a-z]', line):
            assert re.search(r'",\s+# \S+ \S+', line), line


def test_telemetry_is_off_wherever_mlflow_runs():
    tracking = (ROOT / "training" / "registry" / "tracking.py").read_text(encoding="utf-8")
    assert tracking.index("MLFLOW_DISABLE_TELEMETRY") < tracking.index("import mlflow")
    assert "MLFLOW_DISABLE_TELEMETRY = true" in (ROOT / "Makefile").read_text(encoding="utf-8")
