"""The nightly run from Parquet to published worklists for 60,000 people, on 2 cores (floor 60 s and 3 GB), and a second
run of the same day in which the records of 2% of the people changed (floor 15 s), beside scoring everybody again.

``python -m tests.benchmarks.nightly 5000 20000 60000 200000`` shows how time and memory grow; larger stores are copies
of one simulated trust.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from features import Records
from serving.nightly.run import score_store
from tests.benchmarks.growth import BASE as GROWTH_BASE
from tests.benchmarks.growth import SIZES, tiled_store
from tests.benchmarks.measure import CACHE, family_peak, line, simulated_store
from tests.conftest import upstream

PEOPLE, YEARS, FLOOR_S, FLOOR_MB = 60_000, 4, 60.0, 3_000
SECOND_FLOOR_S, ONE_IN = 15.0, 50


def run() -> list[dict[str, Any]]:
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
        found |= {"floor_mb": FLOOR_MB, "ok": found["ok"] and found["peak_mb"] <= FLOOR_MB}
        return [found, _second(store, home, Path(folder), dt.date.fromisoformat(summary.as_of))]


def _second(store: Path, home: Path, folder: Path, day: dt.date) -> dict[str, Any]:
    """A later extract of the same day, in which the blood results of one person in ``ONE_IN`` differ. It was ingested,
    and read once, as the first one was."""
    records = Records.load(store)
    results = records.tables["results"]
    values = np.where(results.patient % ONE_IN == 0, results.columns["value"] * 1.01, results.columns["value"])
    tables = {**records.tables, "results": replace(results, columns={**results.columns, "value": values})}
    about = {key: value for key, value in records.about.items() if key != "data_hash"}
    Records(records.patient_ids, tables, about, unread=records.unread, versions=records.versions).save(folder / "next")
    del records, tables
    Records.load(folder / "next")
    whole = Path(shutil.copytree(home, folder / "whole"))
    with family_peak() as held:
        began = time.perf_counter()
        summary = score_store(folder / "next", home / "bundles", home, day)
        seconds = time.perf_counter() - began
    began = time.perf_counter()
    score_store(folder / "next", whole / "bundles", whole, day, score_all=True)
    everybody = time.perf_counter() - began
    found = line(
        "second-night",
        seconds,
        "s",
        SECOND_FLOOR_S,
        people=PEOPLE,
        rows=summary.people,
        scored=summary.people - summary.unchanged,
        peak_mb=held(),
        cores=2,
        stages=summary.seconds,
    )
    return found | {"peer": round(everybody, 1), "ratio": round(everybody / seconds, 2)}


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
