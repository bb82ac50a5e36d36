"""The gaps of 60,000 people on one day, in seconds of processor time, held against commit 98e9a48: the rules before
those of the pharmacist's review.

The floor is what 98e9a48 takes: its own code, taken from the history, finds its gaps of the same people in turn with
ours. Both are processor time, the best of three, so that other work on the machine counts little. A clone
without history cannot be measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import CACHE, line, simulated_store

PEOPLE, YEARS, ROUNDS = 60_000, 3, 3
BEFORE = "98e9a48"
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from features import Records
from features.gaps import gaps_of
records = Records.load(Path(sys.argv[1]))
day = int(np.max(records.columns("contacts")["known_on"]))
places = np.arange(len(records.patient_ids))
gaps_of(records, places[:200], day)  # compiles
print("ready", flush=True)
for _ in sys.stdin:
    began = time.process_time()
    gaps_of(records, places, day)
    print(time.process_time() - began, flush=True)
"""


def _tree_before() -> Path:
    """The code of 98e9a48 in a folder of its own."""
    folder = CACHE / BEFORE
    if not (folder / "features").exists():
        words = ["git", "-C", str(ROOT), "archive", BEFORE, "features"]
        found = subprocess.run(words, capture_output=True, check=False)
        if found.returncode:
            raise SystemExit(f"the history does not hold {BEFORE}: fetch it (git fetch --unshallow)")
        with tarfile.open(fileobj=BytesIO(found.stdout)) as packed:
            packed.extractall(folder, filter="data")
    return folder


class _Finder:
    """A process that finds the gaps once for each line it reads, with the code of one tree."""

    def __init__(self, tree: Path, store: Path) -> None:
        names = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-P", "-c", PROGRAM, str(store)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(words, cwd=tree, env=names, **pipes)
        self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def seconds(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        self.process.communicate()


def run() -> dict[str, Any]:
    store = simulated_store(PEOPLE, YEARS)
    finders = [_Finder(tree, store) for tree in (ROOT, _tree_before())]
    times = [[finder.seconds() for finder in finders] for _ in range(ROUNDS)]
    for finder in finders:
        finder.close()
    ours, before = (min(column) for column in zip(*times, strict=True))
    return line(
        "gaps", ours, "s", round(before, 3), people=PEOPLE, before=BEFORE, cores=os.cpu_count(), load=os.getloadavg()[0]
    )
