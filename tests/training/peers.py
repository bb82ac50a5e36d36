"""Packages that tests compare with. Each lies apart from the virtual environment, in ``.tools``, and answers in a
process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT


def ask(folder: str, program: str, question: Any) -> Any:
    """What ``program`` prints as JSON when it is given ``question`` as JSON; its packages lie in ``.tools/folder``.
    The test skips where ``make folder`` has not installed them."""
    packages = ROOT / ".tools" / folder
    if not packages.is_dir():
        pytest.skip(f"the packages to compare with are not here: make {folder} installs them into .tools/{folder}")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        input=json.dumps(question),
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(told.stdout.splitlines()[-1])
