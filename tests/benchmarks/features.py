"""All features of 60,000 people on 52 weekly dates, on 2 cores, beside the least that any program needs: reading the
columns of the store once and writing the answer once, at the speed of this machine's memory."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from features import CATALOGUE, Records
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
    shape = values.shape
    del values
    found |= least(records, shape)
    return found | {"floor_mb": FLOOR_MB, "ok": found["ok"] and found["peak_mb"] <= FLOOR_MB}


def least(records: Records, shape: tuple[int, ...]) -> dict[str, Any]:
    """Seconds to read every column of ``records`` once, and to write an answer of ``shape`` (float32) once, on all
    cores, in memory that is there already."""
    columns = [bytes_of(one) for table in records.tables.values() for one in table.columns.values()]
    columns = [part for column in columns for part in np.array_split(column, CORES)]
    answer = [np.zeros((shape[0] // CORES, *shape[1:]), np.float32) for _ in range(CORES)]
    with ThreadPoolExecutor(CORES) as pool:
        took = []
        for work, things in ((np.sum, columns), (lambda part: part.fill(1), answer)):
            began = time.perf_counter()
            list(pool.map(work, things))
            took.append(time.perf_counter() - began)
    return {
        "columns_mb": sum(column.nbytes for column in columns) // 2**20,
        "answer_mb": sum(part.nbytes for part in answer) // 2**20,
        "read_once_s": round(took[0], 3),
        "write_once_s": round(took[1], 3),
    }


def bytes_of(column: Any) -> np.ndarray[Any, Any]:
    """The bytes of a column, in whole words of eight."""
    if isinstance(column, np.ndarray):
        held = [column.view(np.uint8).reshape(-1)] if column.flags.c_contiguous else []
    else:
        chunks = column.chunks if hasattr(column, "chunks") else [column]
        held = [np.frombuffer(buffer, np.uint8) for chunk in chunks for buffer in chunk.buffers() if buffer]
    whole = np.concatenate(held) if len(held) != 1 else held[0] if held else np.zeros(0, np.uint8)
    return whole[: len(whole) // 8 * 8].view(np.uint64)
