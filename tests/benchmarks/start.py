"""How long a person waits before anything happens: the help of the command line, what a notebook imports first, and
the service from nothing to its first answer. Each is the best of several processes, in seconds; caches are warm, as on
any day but the first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import line
from tests.conftest import ROOT
from tests.faults.processes import served
from tests.serving import world

TIMES = 7
FLOOR_HELP_S, FLOOR_IMPORT_S, FLOOR_SERVICE_S = 0.4, 1.5, 6.0
"""Twice the aims: 0.2, 0.7 and 3 seconds."""


def run() -> list[dict[str, Any]]:
    return [
        line("start-help", _best(str(ROOT / "upstream.py"), "--help"), "s", FLOOR_HELP_S),
        line("start-import", _best("-c", "from features import CATALOGUE, Records, build"), "s", FLOOR_IMPORT_S),
        line("start-service", _service(), "s", FLOOR_SERVICE_S),
    ]


def _best(*words: str) -> float:
    return min(_seconds(words) for _ in range(TIMES))


def _seconds(words: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _service() -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = world.make_home(Path(folder) / "home")
        return min(_first_answer(home) for _ in range(3))


def _first_answer(home: Path) -> float:
    began = time.perf_counter()
    with served(home) as (address, _), urllib.request.urlopen(f"{address}/readyz") as answer:
        answer.read()
        return time.perf_counter() - began
