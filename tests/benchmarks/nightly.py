"""The nightly run from Parquet to published worklists for 60,000 people, on 2 cores (docs/speed.md: floor 180 s and
6 GB).

``python -m tests.benchmarks.nightly 5000 20000 60000 200000`` shows how time and memory grow; larger stores are copies
of one simulated trust.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving.nightly.run import score_store
from tests.benchmarks.growth import BASE as GROWTH_BASE
from tests.benchmarks.growth import SIZES, tiled_store
from tests.benchmarks.measure import CACHE, family_peak, line, simulated_store
from tests.conftest import upstream

PEOPLE, YEARS, FLOOR_S, FLOOR_MB = 60_000, 4, 180.0, 6_000


def run() -> dict[str, Any]:
    store = simulated_store(PEOPLE, YEARS)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        upstream("demo", "--no-serve", "--patients", "1000", "--home", str(home))
        shutil.rmtree(home / "store")
        (home / "service.db").unlink()
        with family_peak() as held:
            began = time.perf_counter()
            summary = score_store(store, home / "bundles", home)
            seconds = time.perf_counter() - began
    found = line(
        "nightly",
        seconds,
        "s",
        FLOOR_S,
        people=PEOPLE,
        rows=summary.people,
        peak_mb=held(),
        cores=2,
        stages=summary.seconds,
    )
    return found | {"floor_mb": FLOOR_MB, "ok": found["ok"] and found["peak_mb"] <= FLOOR_MB}


def measure(people: int, base: int = GROWTH_BASE) -> dict[str, Any]:
    """One size, in this process: a store of copies of one simulated trust, scored and published with the bundle of a
    small demo."""
    store = tiled_store(simulated_store(base, YEARS), people // base, CACHE / f"{people}-of-{base}" / "store")
    home = CACHE / "growth-demo"
    if not (home / "bundles" / "current").exists():
        upstream("demo", "--no-serve", "--patients", "1000", "--home", str(home))
    with tempfile.TemporaryDirectory() as folder, family_peak() as held:
        began = time.perf_counter()
        summary = score_store(store, home / "bundles", Path(folder))
        seconds = time.perf_counter() - began
    return {
        "name": "nightly-growth",
        "people": people,
        "scored": summary.people,
        "seconds": round(seconds, 1),
        "stages": summary.seconds,
        "peak_mb": held(),
        "synthetic": summary.synthetic,
    }


def main(sizes: list[int]) -> int:
    """Each size in its own process, so that the peak is its own."""
    failed = 0
    for people in sizes or SIZES:
        code = f"import json; from tests.benchmarks.nightly import measure; print(json.dumps(measure({people})))"
        failed |= subprocess.run([sys.executable, "-c", code], check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]]))
