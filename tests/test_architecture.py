"""The house holds: every import contract is shown able to fail, folders stay small, and a class name means one thing.

A contract that cannot fail protects nothing. Each is broken here on purpose, in a copy of the tree, and import-linter
must refuse it by its name and name the planted import.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("features", "models", "training", "serving")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
SEPARATE = "training and serving stand on models, models on features, and never on each other"
MLFLOW = "Only training.registry.tracking imports mlflow"
SMALL = "What serves and what simulates holds no training library"
CIRCLE = "No circle between packages or files"

PLANTS: dict[str, list[tuple[str, str, str]]] = {
    SEPARATE: [
        ("serving.wording", "import training.errors", "serving.wording -> training.errors"),
        ("training.errors", "import serving.wording", "training.errors -> serving.wording"),
        ("models.errors", "import serving.identity.ids", "models.errors -> serving.identity.ids"),
        ("features.errors", "import models.errors", "features.errors -> models.errors"),
    ],
    "Inside features": [
        ("features.records.days", "import features.engine.matrix", "features.records.days -> features.engine.matrix"),
        ("features.errors", "import features.console", "features.errors -> features.console"),
    ],
    "Inside models": [("models.calibration", "import models.publishing", "models.calibration -> models.publishing")],
    "Inside training": [
        ("training.dataset.spells", "import training.fitting.boosters", "training.dataset.spells -> training.fitting"),
    ],
    "Inside serving": [
        ("serving.worklists.rules", "import serving.web.fragments", "serving.worklists.rules -> serving.web.fragments"),
    ],
    MLFLOW: [("training.fitting.boosters", "import mlflow", "training.fitting.boosters -> mlflow")],
    SMALL: [("serving.wording", "import sklearn", "serving.wording -> sklearn")],
    CIRCLE: [
        ("models.errors", "import models.calibration", "models.calibration"),
    ],
}
"""By contract: the module that gets a line, the line, and what import-linter must say of it."""


def lint(tree: Path) -> str:
    """What import-linter says of a tree, as one line a sentence."""
    words = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "400", "NO_COLOR": "1"}
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def tree(tmp_path) -> Path:
    """The packages and their contracts, to plant in."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "nhsuk", "swagger")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_has_a_plant():
    assert [contract["name"] for contract in CONTRACTS] == list(PLANTS)


def test_the_tree_as_it_is_keeps_every_contract(tree):
    said = lint(tree)
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken" in said


@pytest.mark.parametrize(
    ("contract", "module", "line", "expected"),
    [(contract, *plant) for contract, plants in PLANTS.items() for plant in plants],
)
def test_a_planted_import_is_refused(tree, contract, module, line, expected):
    path = tree / (module.replace(".", "/") + ".py")
    # At the end: where in a file an import stands changes nothing.
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    said = lint(tree)
    assert f"{contract} BROKEN" in said
    assert expected in said.partition("Broken contracts")[2]


LARGEST_FOLDER = 13
"""Modules of one folder, ``__init__`` left out: as many as a reader can remember."""
LARGER_FOLDERS = {
    "serving/storage/migrations/versions": "one module for each migration, which nobody changes once it has run",
}


def modules() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "__pycache__" not in path.parts and path.name != "__init__.py":
                found[path.parent.relative_to(ROOT).as_posix()].append(path)
    return found


def test_no_folder_holds_more_modules_than_a_reader_can():
    large = {folder: len(found) for folder, found in modules().items() if len(found) > LARGEST_FOLDER}
    assert set(large) <= set(LARGER_FOLDERS), large


def test_tests_lie_where_the_code_lies_that_they_test():
    """A folder of tests has the path of a package or module."""
    tests = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    mirrors = [folder for folder in tests if folder.parts and folder.parts[0] in PACKAGES]
    assert len(mirrors) > 60
    assert [str(folder) for folder in mirrors if not (ROOT / folder).is_dir()] == []


def test_only_compiled_loops_are_excused_from_full_types():
    """numba infers the types of what it compiles; every other module is held to ``mypy --strict``."""
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert mypy["strict"] and set(mypy["packages"]) == {*PACKAGES, "upstream", "docs"}
    excused = [
        module
        for override in mypy["overrides"]
        if override.keys() & {"disallow_untyped_defs", "disallow_incomplete_defs", "disallow_untyped_calls"}
        for module in override["module"]
    ]
    text = {module: (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8") for module in excused}
    assert [module for module in excused if not re.search(r"^@(jit|part|inlined|step)\b", text[module], re.M)] == []


def classes() -> dict[str, list[str]]:
    """Where each class is defined."""
    found: dict[str, list[str]] = defaultdict(list)
    # The client's shapes are written from the interface: each has the name of what it mirrors.
    paths = [path for group in modules().values() for path in group if path != ROOT / "serving/client/shapes.py"]
    for path in [*paths, *(ROOT / package / "__init__.py" for package in PACKAGES), ROOT / "upstream.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.relative_to(ROOT).as_posix())
    return found


def test_every_import_leads_somewhere_also_those_that_wait_until_a_command_runs():
    """mypy skips what it cannot find, and most commands import when they run."""
    lost = []
    for path in [*(path for group in modules().values() for path in group), ROOT / "upstream.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
                lost += [
                    f"{path.relative_to(ROOT)}: {name}" for name in _lost(node.module, [a.name for a in node.names])
                ]
    assert not lost


def _lost(module: str, names: list[str]) -> list[str]:
    """What cannot be imported from a module of ours."""
    if importlib.util.find_spec(module) is None:
        return [module]
    found = importlib.import_module(module)
    return [
        f"{module}.{name}"
        for name in names
        if not hasattr(found, name) and importlib.util.find_spec(f"{module}.{name}") is None
    ]


@pytest.fixture(scope="module")
def tests() -> dict[str, ast.Module]:
    """Every module of the tests by its name."""
    found = sorted((ROOT / "tests").rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in found}


def test_every_http_call_in_tests_states_its_timeout(tests):
    """httpx gives up after five seconds, which a busy machine may need; then a test would measure the machine."""
    asking = {"Client", "AsyncClient", "request", "get", "post", "put", "delete", "stream"}
    hasty = [
        f"{name}:{node.lineno}"
        for name, module in tests.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr in asking) == ("httpx", True)
        and "timeout" not in {word.arg for word in node.keywords}
    ]
    assert not hasty


def test_no_test_waits_for_a_fixed_time(tests):
    """A wait belongs in a loop that asks again; a function inside a test may be slow on purpose."""
    fixed = [
        f"{name}:{node.lineno}"
        for name, module in tests.items()
        for test in module.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
        for node in outside_loops(test.body)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep", "asyncio.sleep")
    ]
    assert not fixed


def outside_loops(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node below these that lies in no loop and no function of its own."""
    for node in nodes:
        if not isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from outside_loops(ast.iter_child_nodes(node))


def test_a_class_name_means_one_thing():
    recurring = {name: where for name, where in sorted(classes().items()) if len(where) > 1}
    assert not recurring


def test_the_schemas_of_the_interface_have_a_name_each():
    """Two models of one name get long names in OpenAPI, and a generated client mixes them up."""
    schemas = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert not re.search(r'"[a-z_]+__[A-Za-z_]+__[A-Z]\w+"', schemas)
