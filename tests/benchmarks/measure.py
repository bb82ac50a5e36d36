"""What benchmarks share: a simulated store kept between runs, peak memory, and the shape of the line."""

from __future__ import annotations

import os
import resource
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from features import Records

CACHE = Path(tempfile.gettempdir()) / "upstream-bench"


def simulated_store(people: int, years: int) -> Path:
    """A folder with a synthetic store of that size, simulated in a process of its own and kept for the next
    benchmark."""
    import subprocess
    import sys

    from training.simulator.oracle import VERSION

    folder = CACHE / f"{people}x{years}-v{VERSION}"
    if not (folder / "store" / "about.json").exists():
        words = ["simulate", "--patients", str(people), "--years", str(years), "--teams", str(max(8, people // 400))]
        subprocess.run(
            [sys.executable, "upstream.py", *words, "--out", str(folder / "store"), "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder / "store"


def load(people: int, years: int) -> Records:
    return Records.load(simulated_store(people, years))


def peak_mb() -> int:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def family_peak(every_s: float = 0.2) -> Iterator[Callable[[], int]]:
    """The most memory, in MB, that this process and all it started held at one moment; what they share counts once
    (PSS). Linux."""
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            peak[0] = max(peak[0], shared_mb(os.getpid()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: peak[0]
    finally:
        ended.set()
        watcher.join()


def shared_mb(pid: int) -> int:
    """The memory, in MB, of a process and all it started; what they share counts once (PSS). Linux."""
    return sum(_pss_kb(one) for one in family(pid)) // 1024


def family(pid: int) -> Iterator[int]:
    """A process and all it started. Linux."""
    yield pid
    for child in children_of(pid):
        yield from family(child)


def children_of(pid: int) -> list[int]:
    """What a process started, by whichever of its threads; none if it has ended. Linux."""
    found: list[int] = []
    with suppress(OSError):  # it ended meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # this thread ended; another has its children now
                found += map(int, (thread / "children").read_text().split())
    return found


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process and all it started have used, those that have ended included. Linux."""
    return sum(_ticks(one) for one in family(pid)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    """User and system time of a process and of its children that have ended."""
    try:
        found = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it ended meanwhile
        return 0
    return sum(map(int, found.rpartition(")")[2].split()[11:15]))


def _pss_kb(pid: int) -> int:
    try:
        found = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it ended meanwhile
        return 0
    return next((int(row.split()[1]) for row in found.splitlines() if row.startswith("Pss:")), 0)


def line(name: str, ours: float, unit: str, floor: float, **measured: Any) -> dict[str, Any]:
    """A line without a peer: smaller is better, and ``ok`` says whether it lies under the floor."""
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": None,
        "unit": unit,
        "ratio": None,
        "floor": floor,
        "ok": ours <= floor,
        **measured,
    }
