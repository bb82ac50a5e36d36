"""All features of 60,000 people on 52 weekly dates, on 2 cores (docs/speed.md: floor 120 s and 6 GB)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from features import CATALOGUE
from features.engine import build_values
from tests.benchmarks.measure import line, load, peak_mb

PEOPLE, YEARS, WEEKS, CORES, FLOOR_S, FLOOR_MB = 60_000, 4, 52, 2, 30.0, 6_000


def run() -> dict[str, Any]:
    records = load(PEOPLE, YEARS)
    last = records.last_day_known()
    weeks = np.arange(last - 7 * (WEEKS - 1), last + 1, 7, dtype=np.int32)
    person = np.repeat(np.arange(len(records), dtype=np.int64), WEEKS)
    days = np.tile(weeks, len(records))
    build_values(
        records.at(np.arange(100)), person[: 100 * WEEKS], days[: 100 * WEEKS], tuple(CATALOGUE), threads=CORES
    )
    began = time.perf_counter()
    values = build_values(records, person, days, tuple(CATALOGUE), threads=CORES)
    seconds = time.perf_counter() - began
    found = line(
        "features-full",
        seconds,
        "s",
        FLOOR_S,
        people=len(records),
        rows=len(values),
        features=values.shape[1],
        peak_mb=peak_mb(),
        cores=CORES,
    )
    return found | {"floor_mb": FLOOR_MB, "ok": found["ok"] and found["peak_mb"] <= FLOOR_MB}
