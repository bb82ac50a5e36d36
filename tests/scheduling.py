"""Which worker runs which test (``pytest -n 2``): a file stays whole, and so do files that share a costly fixture.

So one worker makes the fixture of a module, and the trust that many files look at, once. Groups that take longest start
first, so that no worker begins one when the other has nothing left.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ("trained", "trust_300")
"""What each worker would make for itself. Files whose tests or fixtures ask for one by name run together. The demo home
is made once for all workers, so its files need not."""
FOLDERS = ("tests/training/simulator", "tests/browser")
"""Folders whose files share more than that: one truth, one Chromium."""
DEMO = "tests/test_end_to_end.py"
"""Makes the demo home; the other files that look at it come later, and do not wait for it."""
LONG_FILES = (
    "tests/test_wheel.py",
    "tests/features/sharded/test_spark_cluster.py",
    "tests/features/sharded/test_spark.py",
    "tests/contract/test_schemathesis.py",
    "tests/features/sharded/test_command.py",
    "tests/features/records/sources/fhir/test_ledger.py",
    "tests/faults/test_installed.py",
    "tests/features/records/test_kinds.py",
    "tests/features/records/test_certificate.py",
    "tests/faults/test_process.py",
    "tests/contract/test_generated_clients.py",
    "tests/faults/test_canary.py",
    "tests/faults/test_bodies.py",
    "tests/training/test_broken_models.py",
    "tests/faults/test_database.py",
    "tests/test_notebooks.py",
    "tests/test_demo.py",
    "tests/training/test_learn_ranges.py",
    "tests/training/test_retrain.py",
    "tests/features/test_jit.py",
    "tests/training/test_cross_validation.py",
    "tests/training/registry/test_sync.py",
    "tests/features/records/test_every_row_is_accounted_for.py",
)
"""Files that share nothing and take longest: ten seconds of processor time and more."""
SLOWEST_FIRST = (DEMO, "trained", *FOLDERS, "trust_300", *LONG_FILES)


@cache
def group_of(file: str) -> str:
    """The name of the group that a test file belongs to; a file of its own is its own group."""
    folder = next((folder for folder in FOLDERS if file.startswith(f"{folder}/")), None)
    if folder:
        return folder
    text = (ROOT / file).read_text(encoding="utf-8")
    return next((name for name in FIXTURES if re.search(rf"\bdef \w+\([^)]*\b{name}\b", text)), file)


def place_of(file: str) -> int:
    """Where the group of a file stands in the order of a run: 0 is first."""
    group = group_of(file)
    return SLOWEST_FIRST.index(group) if group in SLOWEST_FIRST else len(SLOWEST_FIRST)


class Together(LoadScopeScheduling):
    """Hands out whole groups, in the order in which the workers collected them."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])
