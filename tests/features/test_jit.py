"""A kernel is compiled again when anything it was compiled from has changed, wherever that stands; and only then."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

import features
import models
import training
from features.jit import STAMPS_KEPT, Unstampable, fingerprint, inlined, jit, remove_old
from training.simulator import person_day
from training.statistics import kernels

CONSTANTS = "DAYS = 90\nTABLE = (1, 2)\n"
HELPERS = "from features.jit import jit\n\n\n@jit()\ndef added(x):\n    return x + 1\n"
KERNEL = """from constants import DAYS, TABLE
from features.jit import jit
from helpers import added
import constants


@jit()
def answer(x):
    return later(x) + TABLE[1] + constants.DAYS


@jit()
def later(x):
    return added(x) + DAYS
"""
ASK = "import kernel; print(kernel.answer(1000), sum(kernel.answer.stats.cache_hits.values()))"


def _run(folder: Path, code: str, **more: str) -> str:
    env = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{Path(features.__file__).parents[1]}"}
    env |= {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"} | more
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


CHANGES = [
    ("constants.py", "DAYS = 90", "DAYS = 20", "1043"),
    ("constants.py", "(1, 2)", "(1, 5)", "1186"),
    ("helpers.py", "x + 1", "x + 2", "1184"),
    ("kernel.py", "+ DAYS", "- DAYS", "1003"),
]


def test_a_change_anywhere_changes_the_answer_and_what_was_compiled_before_is_kept(tmp_path: Path) -> None:
    for name, text in (("constants", CONSTANTS), ("helpers", HELPERS), ("kernel", KERNEL)):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    assert _run(tmp_path, ASK) == "1183 0"
    for name, was, becomes, answer in CHANGES:
        file = tmp_path / name
        before = file.read_text(encoding="utf-8")
        file.write_text(before.replace(was, becomes), encoding="utf-8")
        assert _run(tmp_path, ASK) == f"{answer} 0", (name, becomes)
        file.write_text(before, encoding="utf-8")
    assert _run(tmp_path, ASK) == "1183 1", "as it was, it comes from the cache"


def test_the_newest_versions_of_a_kernel_stay_on_disk_and_older_ones_are_removed(tmp_path: Path) -> None:
    for age in range(STAMPS_KEPT + 2):
        for file in (tmp_path / f"kernel.go-9.py311.stamp{age}.nbi", tmp_path / f"kernel.go-9.py311.stamp{age}.1.nbc"):
            file.touch()
            os.utime(file, (1_000 - age, 1_000 - age))
    other = tmp_path / "kernel.go-91.py311.stamp0.nbi"
    other.touch()
    os.utime(other, (1, 1))
    remove_old(tmp_path, "kernel.go-9.py311")
    left = {file.name.split(".")[3] for file in tmp_path.glob("kernel.go-9.*")}
    assert other.exists() and len(list(tmp_path.iterdir())) == 2 * STAMPS_KEPT + 1
    assert f"stamp{STAMPS_KEPT - 1}" in left and f"stamp{STAMPS_KEPT}" not in left


COURSE = """
import datetime as dt
import pandas as pd
from features import CATALOGUE, Records, build
day = pd.Timestamp("2026-01-01")
supplies = pd.DataFrame(
    {"patient_id": "p1", "known_on": day + pd.to_timedelta(days, "D"), "supplied_on": day + pd.to_timedelta(days, "D"),
      "medicine": "olanzapine", "kind": "dispensed", "days_supplied": 28} for days in (0, 70)
)
people = pd.DataFrame({"patient_id": ["p1"], "known_on": [day], "birth_date": [day - pd.Timedelta(days=9000)]})
records = Records.from_frames({"patients": people, "supplies": supplies})
spine = pd.DataFrame({"patient_id": ["p1"], "as_of": [(day + pd.Timedelta(days=100)).date()]})
wanted = [f for f in CATALOGUE if f.name == "longest_course_days"]
print(build(records, spine, wanted, threads=1).values[0, 0])
"""


BESIDE = {"NUMBA_CACHE_DIR": ""}
"""The cache is beside each file. A copy of a package brings what is compiled, so that only what a change reaches is
compiled again."""


def test_changing_the_gap_that_ends_a_course_changes_the_feature(tmp_path: Path) -> None:
    """The regimen's kernel bakes in a constant of another file; with a warm cache its answer follows it."""
    shutil.copytree(Path(features.__file__).parent, tmp_path / "features", ignore=shutil.ignore_patterns("*.pyc"))
    assert float(_run(tmp_path, COURSE, **BESIDE)) == 100
    file = tmp_path / "features" / "kernels" / "coverage.py"
    text = file.read_text(encoding="utf-8")
    assert "COURSE_GAP_DAYS = 90" in text
    file.write_text(text.replace("COURSE_GAP_DAYS = 90", "COURSE_GAP_DAYS = 20"), encoding="utf-8")
    assert float(_run(tmp_path, COURSE, **BESIDE)) == 30


@pytest.mark.parametrize(
    ("kernel", "module", "name", "becomes"),
    [
        (person_day.run, "training.simulator.care.examinations", "TWO_SPECIALISTS_FROM", 19724),
        (person_day.run, "training.simulator.random", "TO_UNIT", 0.5),
        (person_day.run, "training.simulator.person_day", "SLOT", np.dtype([("day", np.int64)])),
        (kernels.lines, "training.statistics.kernels", "NEWTON_STEPS", 1),
    ],
)
def test_a_kernel_is_stamped_by_everything_it_reads(monkeypatch, kernel, module: str, name: str, becomes) -> None:
    before = fingerprint(kernel.py_func)
    assert fingerprint(kernel.py_func) == before
    monkeypatch.setattr(f"{module}.{name}", becomes)
    assert fingerprint(kernel.py_func) != before


def test_what_cannot_be_stamped_is_refused_by_name() -> None:
    settings = {"days": 90}

    def kernel() -> int:
        return settings["days"]

    with pytest.raises(Unstampable, match=r"kernel reads settings, a dict"):
        fingerprint(kernel)


def test_a_stamp_depends_on_closed_over_values_and_options_and_not_on_the_object() -> None:
    def twin(number: int):  # type: ignore[no-untyped-def]
        table = np.arange(number)

        @jit()
        def kernel(x):  # type: ignore[no-untyped-def]
            return x + table[0]

        return kernel.py_func

    assert fingerprint(twin(3)) == fingerprint(twin(3))
    assert fingerprint(twin(3)) != fingerprint(twin(4))
    assert fingerprint(twin(3), "error_model") != fingerprint(twin(3))


class Pair(NamedTuple):
    one: np.ndarray
    two: np.ndarray


def test_a_named_tuple_is_stamped_by_its_fields() -> None:
    def of(pair: type) -> str:
        return fingerprint(lambda: pair)

    assert of(Pair) == of(Pair)
    assert of(Pair) != of(NamedTuple("Pair", [("two", np.ndarray), ("one", np.ndarray)]))


def test_an_inlined_function_that_allocates_an_array_is_refused() -> None:
    @inlined
    def add(pair):  # type: ignore[no-untyped-def]
        pair.one[0] += 1

    @inlined
    def make(number):  # type: ignore[no-untyped-def]
        return np.zeros(number).sum()

    @njit
    def added(pair):  # type: ignore[no-untyped-def]
        add(pair)

    @njit
    def asked(number):  # type: ignore[no-untyped-def]
        return make(number)

    given = Pair(np.zeros(2), np.zeros(2))
    added(given)
    assert given.one.tolist() == [1, 0]
    with pytest.raises(TypingError, match=r"No implementation of function.*zeros"):
        asked(2)


def test_every_kernel_is_compiled_by_jit() -> None:
    by_hand = re.compile(r"^\s*@(?:numba\.)?njit|^\s*@numba\.jit|from numba import .*njit")
    found = [
        f"{path.name}:{number}"
        for package in (features, models, training)
        for path in sorted(Path(package.__file__).parent.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if by_hand.search(line) and path.name not in ("jit.py", "parts.py")
    ]
    assert found == []
