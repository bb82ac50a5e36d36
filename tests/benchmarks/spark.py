"""All features on a cluster of real Spark processes of this machine (a master, two workers of one core, spark-submit as
docs/spark.md writes it), beside the local engine: the same bytes, one shard with ten times the rows of the others.

On one machine Spark can only be slower. The line is for what the plan for England needs: core seconds of building, the
most memory of a Python worker, bytes that the dealing shuffles, and what a large shard costs. All people are simulated.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from features.sharded.partition import shard_of
from tests.benchmarks.measure import simulated_store
from tests.features.sharded.standalone import ROOT, standalone

PEOPLE, YEARS, SHARDS, LARGE, DATES = 6_000, 4, 12, 0, 10


def run() -> dict[str, Any]:
    store = simulated_store(PEOPLE, YEARS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spine = _spine(store, folder / "spine.parquet")
        words = ["features", "build", "--store", str(store), "--spine", str(spine), "--shards", str(SHARDS)]
        here, there = folder / "here", folder / "there"
        began = time.perf_counter()
        subprocess.run([sys.executable, str(ROOT / "upstream.py"), *words, "--out", str(here)], check=True)
        local_s = time.perf_counter() - began
        (folder / "events").mkdir()
        logged = ("spark.eventLog.enabled=true", "spark.eventLog.compress=false", f"spark.eventLog.dir={folder}/events")
        with standalone(folder / "cluster") as cluster:
            began = time.perf_counter()
            submitted = cluster.submit(*words, "--out", str(there), "--engine", "spark", settings=logged)
            said, errors = submitted.communicate()
            if submitted.returncode:
                raise RuntimeError(f"spark-submit failed:\n{(said + errors)[-3000:]}")
            spark_s = time.perf_counter() - began
        same = _bytes(here) == _bytes(there)
        local, spark = (json.loads((out / "manifest.json").read_text(encoding="utf-8")) for out in (here, there))
        shuffled = _shuffled(folder / "events")
    return {
        "name": "spark",
        "ours": round(spark_s, 1),
        "peer": round(local_s, 1),
        "unit": "s",
        "ratio": round(local_s / spark_s, 2),
        "floor": None,
        "ok": same,
        "people": PEOPLE,
        "rows": spark["rows"],
        "shards": SHARDS,
        "same_bytes": same,
        "core_seconds": spark["task_seconds"],
        "local_core_seconds": local["task_seconds"],
        "peak_mb": spark["peak_mb"],
        "local_peak_mb": local["peak_mb"],
        "shuffled_mb": round(shuffled / 2**20, 1),
        "rows_of_the_large_shard": spark["rows_by_part"][LARGE],
        "rows_of_another_shard": int(np.median(spark["rows_by_part"])),
        "cores": 2,
    }


def _spine(store: Path, path: Path) -> Path:
    """One date each, and ``DATES`` dates, a week apart, for the people of one shard."""
    last = pd.Timestamp(pq.read_table(store / "results.parquet", columns=["taken_on"])[0].to_pandas().max())
    ids = pq.read_table(store / "patients.parquet", columns=["patient_id"])[0]
    many = np.where(shard_of(ids, SHARDS) == LARGE, DATES, 1)
    back = np.concatenate([np.arange(each) for each in many])
    rows = {"patient_id": np.repeat(np.array(ids.to_pylist(), object), many)}
    pd.DataFrame({**rows, "as_of": last - pd.to_timedelta(7 * back, unit="D")}).to_parquet(path, index=False)
    return path


def _bytes(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}


def _shuffled(events: Path) -> int:
    """Bytes that all tasks wrote for others to read, from Spark's own event log."""
    found = 0
    for path in events.rglob("*"):
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)
                if event["Event"] == "SparkListenerTaskEnd":
                    written = (event.get("Task Metrics") or {}).get("Shuffle Write Metrics") or {}
                    found += written.get("Shuffle Bytes Written", 0)
    return found
