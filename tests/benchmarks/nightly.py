"""The nightly run from Parquet to published worklists for 60,000 people, on 2 cores (DESIGN section 8: floor 180 s and 6 GB)."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from serving.nightly import score_store
from tests.benchmarks.measure import line, peak_mb, simulated_store
from tests.conftest import upstream

PEOPLE, YEARS, FLOOR_S, FLOOR_MB = 60_000, 4, 180.0, 6_000


def run() -> dict[str, Any]:
    store = simulated_store(PEOPLE, YEARS)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        upstream("demo", "--no-serve", "--patients", "1000", "--home", str(home))
        shutil.rmtree(home / "store")
        (home / "service.db").unlink()
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
        peak_mb=peak_mb(),
        cores=2,
        stages=summary.seconds,
    )
    return found | {"floor_mb": FLOOR_MB, "ok": found["ok"] and found["peak_mb"] <= FLOOR_MB}
