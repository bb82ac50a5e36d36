"""The same 8 window features by us and by a peer: same rows, equal values, each in a process of its own.

Events are made-up weights (whole kilograms, so that sums are exact in any order), about 50 a person over two years,
known on the day they happen; 3% of people have none. The spine asks for each person on four dates of the second year.
Features are counts and sums over four windows.

Two lines. The first counts from the file to the values: peers read their Parquet, ours opens a store that was checked,
sorted and hashed once before (``ours.prepare``, not timed), and its memory is that of the whole process. The second
starts with the input in memory, in the form each side likes best (peers get whole-number ids and only the columns they
need; ours gets text ids and both clocks); its ``memory_ratio`` is of what each side holds above its input, at most, and
it also says what it is with checking and sorting counted on our side only (``with_load``). The first tiny run (imports,
compiled loops) and putting rows in order are never timed. Both sides may use two threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = (30, 90, 180, 365)
AS_OF = ("2024-03-01", "2024-06-01", "2024-09-01", "2024-12-01")
FIRST_DAY, DAYS, EVENTS_EACH, NO_EVENTS = "2023-01-01", 720, 50, 0.03
CORES, SMALL, LARGE, TINY = 2, 10_000, 100_000, 50
RUNS = 3
"""Runs of each side at each size, in turns so that a busy machine slows both; the median counts."""
LIMIT_S = 300.0
"""A peer that would take longer at LARGE runs at fewer people, and the line says so."""


@dataclass(frozen=True)
class Floor:
    """The least that our side may be better: in time at LARGE and at SMALL people, and in memory at LARGE. At SMALL a
    process is little more than its programs and libraries, and the line says what each side holds."""

    large: float
    small: float
    memory: float

    def holds(self, large: dict[str, Any], small: dict[str, Any]) -> bool:
        in_time = large["ratio"] >= self.large and small["ratio"] >= self.small
        return bool(in_time and large["memory_ratio"] >= self.memory)


def make_up(people: int, folder: Path) -> Path:
    """Writes ``events.parquet`` and ``spine.parquet``, both sorted by person and day, with a text and a whole-number
    id."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(people)
    each = rng.poisson(EVENTS_EACH, people) * (rng.random(people) >= NO_EVENTS)
    person = np.repeat(np.arange(people), each)
    day = np.datetime64(FIRST_DAY) + rng.integers(0, DAYS, len(person))
    order = np.lexsort((day, person))
    events = _with_ids(pd.DataFrame({"person": person, "day": day[order].astype("datetime64[s]")}))
    events["value"] = rng.integers(45, 140, len(person)).astype(float)
    events = events.drop_duplicates(
        ignore_index=True
    )  # records set a row sent twice aside; the peers would count it twice
    as_of = np.tile(np.array(AS_OF, "datetime64[s]"), people)
    spine = _with_ids(pd.DataFrame({"person": np.repeat(np.arange(people), len(AS_OF)), "as_of": as_of}))
    folder.mkdir(parents=True, exist_ok=True)
    events.to_parquet(folder / "events.parquet", index=False)
    spine.to_parquet(folder / "spine.parquet", index=False)
    return folder


def _with_ids(frame: Any) -> Any:
    frame.insert(0, "patient_id", "p" + frame["person"].astype(str).str.zfill(7))
    return frame


def memory_mb(which: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (the most yet) of this process. Not ``ru_maxrss``: after a fork that holds the
    parent's peak too."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024
    except OSError:  # no /proc: only the peak is known, from the start of the process
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def settle() -> float:
    """Gives freed memory back to the system, so that what a stage needs is not hidden in it. Returns what is held, in
    MB."""
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return memory_mb("VmRSS")


def measure(module: str, tiny: Path, folder: Path, out: Path) -> None:
    """In the child: runs a side's stages over ``folder`` and writes its values, seconds a stage and memory."""
    import numpy as np

    side = importlib.import_module(f"tests.benchmarks.{module}")
    done = side.load(tiny)
    for _, stage in side.STAGES:
        done = stage(done)
    done = side.load(folder)
    loaded = settle()
    most, stages = memory_mb("VmHWM"), {}
    for name, stage in side.STAGES:
        before = settle()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from here
        began = time.perf_counter()
        done = stage(done)
        seconds = time.perf_counter() - began
        stages[name] = {"s": seconds, "peak_mb": memory_mb("VmHWM"), "above_mb": memory_mb("VmHWM") - before}
    peak = max(stage["peak_mb"] for stage in stages.values())
    np.save(out.with_suffix(".npy"), side.in_order(done))
    found = {"stages": stages, "loaded_mb": loaded, "peak_mb": max(peak, most), "above_input_mb": peak - loaded}
    out.write_text(json.dumps(found))


def measure_from_file(module: str, tiny: Path, folder: Path, out: Path) -> None:
    """In the child: from the file to the values, with seconds and the most memory that the process held meanwhile."""
    import numpy as np

    side = importlib.import_module(f"tests.benchmarks.{module}")
    for place in (tiny, folder):
        settle()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        began, done = time.perf_counter(), place
        for stage in side.FROM_FILE:
            done = stage(done)
        seconds = time.perf_counter() - began
    peak = memory_mb("VmHWM")
    np.save(out.with_suffix(".npy"), side.in_order(done))
    out.write_text(json.dumps({"s": seconds, "peak_mb": peak}))


def in_child(module: str, tiny: Path, folder: Path, how: str = "measure") -> dict[str, Any]:
    """``measure`` or ``measure_from_file`` in a process of its own. Its chatter is dropped; the values stay in
    ``folder`` for the comparison."""
    out = folder / f"{module}.json"
    _python(
        f"from pathlib import Path as P; from tests.benchmarks.peers import {how} as m; m({module!r}, "
        f"P({str(tiny)!r}), P({str(folder)!r}), P({str(out)!r}))"
    )
    return dict(json.loads(out.read_text()))


def _python(call: str) -> None:
    """Runs lines of Python in a process of its own, with as many threads as both sides may use."""
    threads = {"POLARS_MAX_THREADS": str(CORES), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", call],
        cwd=ROOT,
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"a benchmark's process failed:\n{done.stderr[-2000:]}")


def from_file(people: int, peer: str, folder: Path) -> dict[str, Any]:
    """Both sides from the file at one size, in turns. Raises AssertionError where their values differ."""
    tiny, here = _ready(people, folder)
    runs = [tuple(in_child(side, tiny, here, "measure_from_file") for side in ("ours", peer)) for _ in range(RUNS)]
    _same_values(here, peer)
    ours, other = [
        {key: median(run[key] for run in side) for key in ("s", "peak_mb")} for side in zip(*runs, strict=True)
    ]
    return {
        "people": people,
        "rows": people * len(AS_OF),
        "ours": round(ours["s"], 4),
        "peer": round(other["s"], 3),
        "ratio": round(other["s"] / ours["s"], 2),
        "runs_s": [round(run["s"], 3) for run, _ in runs],
        "peer_runs_s": [round(run["s"], 3) for _, run in runs],
        "peak_mb": round(ours["peak_mb"]),
        "peer_peak_mb": round(other["peak_mb"]),
        "memory_ratio": round(other["peak_mb"] / ours["peak_mb"], 2),
    }


def _ready(people: int, folder: Path) -> tuple[Path, Path]:
    """The made-up trusts of ``TINY`` and of ``people``, with our store of each."""
    places = folder / str(TINY), folder / str(people)
    for size, place in zip((TINY, people), places, strict=True):
        if not place.exists():
            _python(
                f"from pathlib import Path as P; from tests.benchmarks import ours, peers; "
                f"ours.prepare(peers.make_up({size}, P({str(place)!r})))"
            )
    return places


def _same_values(here: Path, peer: str) -> Any:
    import numpy as np

    mine, theirs = np.load(here / "ours.npy"), np.load(here / f"{peer}.npy")
    np.testing.assert_array_equal(mine, theirs)
    return mine


def at(people: int, peer: str, folder: Path) -> dict[str, Any]:
    """Both sides in memory at one size, in turns. Raises AssertionError where their values differ."""
    tiny, here = _ready(people, folder)
    runs = [(in_child("ours", tiny, here), in_child(peer, tiny, here)) for _ in range(RUNS)]
    mine = _same_values(here, peer)
    ours, other = [_median(side) for side in zip(*runs, strict=True)]
    build, load, took = ours["build_s"], ours["from_frames_s"], other["total_s"]
    return {
        "people": people,
        "rows": len(mine),
        "ours": round(build, 4),
        "peer": round(took, 3),
        "ratio": round(took / build, 1),
        "runs_s": [round(sum(s["s"] for s in run["stages"].values()), 3) for run, _ in runs],
        "build_runs_s": [round(run["stages"]["build"]["s"], 3) for run, _ in runs],
        "peer_runs_s": [round(sum(s["s"] for s in run["stages"].values()), 3) for _, run in runs],
        "ours_with_load": round(build + load, 3),
        "ratio_with_load": round(took / (build + load), 2),
        "peak_mb": round(ours["peak_mb"]),
        "peer_peak_mb": round(other["peak_mb"]),
        "above_input_mb": round(ours["build_above_mb"]),
        "peer_above_input_mb": round(other["above_input_mb"]),
        "memory_ratio": round(other["above_input_mb"] / ours["build_above_mb"], 2),
        "process_memory_ratio": round(other["peak_mb"] / ours["peak_mb"], 2),
        "with_load_memory_ratio": round(other["above_input_mb"] / ours["above_input_mb"], 2),
        "loaded_mb": round(ours["loaded_mb"]),
        "peer_loaded_mb": round(other["loaded_mb"]),
        "largest_value": float(mine.max()),
    }


def _median(runs: tuple[dict[str, Any], ...]) -> dict[str, float]:
    found = {key: median(run[key] for run in runs) for key in ("peak_mb", "above_input_mb", "loaded_mb")}
    for name in runs[0]["stages"]:
        found[f"{name}_s"] = median(run["stages"][name]["s"] for run in runs)
        found[f"{name}_above_mb"] = median(run["stages"][name]["above_mb"] for run in runs)
    return found | {"total_s": median(sum(stage["s"] for stage in run["stages"].values()) for run in runs)}


def lines(
    name: str, peer: str, from_disk: Floor, in_memory: Floor, versions: Callable[[], dict[str, str]]
) -> list[dict[str, Any]]:
    """The benchmark's lines, from the file and in memory: LARGE people each, with SMALL beside it under ``smaller``."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            _line(name, from_file, peer, Path(folder), from_disk) | {"versions": versions()},
            _line(f"{name}-memory", at, peer, Path(folder), in_memory) | {"versions": versions()},
        ]


def _line(
    name: str, measured: Callable[[int, str, Path], dict[str, Any]], peer: str, folder: Path, floor: Floor
) -> dict[str, Any]:
    small = measured(SMALL, peer, folder)
    expected = small["peer"] * LARGE / SMALL
    people = LARGE if expected <= LIMIT_S else int(LIMIT_S / expected * LARGE / 1000) * 1000
    found = measured(people, peer, folder)
    bounded = {} if people == LARGE else {"bounded": f"the peer would pass {LIMIT_S:.0f} s at {LARGE} people"}
    checked = {"unit": "s", "floor": floor.large, "memory_floor": floor.memory, "ok": floor.holds(found, small)}
    return {
        "name": name,
        **found,
        **checked,
        "cores": CORES,
        "runs": RUNS,
        **bounded,
        "smaller": small | {"floor": floor.small},
    }
