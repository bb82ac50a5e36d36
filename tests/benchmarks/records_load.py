"""``Records.load`` of a store that was read before, in a process of its own. The first load, which checks everything,
is the peer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from features.records.loading.kept_columns import BYTES, INDEX
from tests.benchmarks.measure import line, simulated_store

PEOPLE, YEARS = 60_000, 4
FLOOR_S, FLOOR_MB = 1.5, 1_200
PROGRAM = """
import json, resource, sys, time
from features import Records
began = time.perf_counter()
records = Records.load(sys.argv[1])
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak, "people": len(records)}))
"""


def run() -> dict[str, Any]:
    store = simulated_store(PEOPLE, YEARS)
    for name in (BYTES, INDEX):
        (store / name).unlink(missing_ok=True)
    first, again = _loaded(store), min((_loaded(store) for _ in range(3)), key=lambda one: one["seconds"])
    found = line("records-load", again["seconds"], "s", FLOOR_S, peer=first["seconds"], people=again["people"])
    within = again["peak_mb"] <= FLOOR_MB
    return found | {"peak_mb": again["peak_mb"], "first_peak_mb": first["peak_mb"], "ok": found["ok"] and within}


def _loaded(store: Path) -> dict[str, Any]:
    words = [sys.executable, "-c", PROGRAM, str(store)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said
