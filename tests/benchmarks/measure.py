"""What benchmarks share: a simulated store kept between runs, peak memory, and the shape of the line."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any

from features import Records

CACHE = Path(tempfile.gettempdir()) / "upstream-bench"


def simulated_store(people: int, years: int) -> Path:
    """A folder with a synthetic store of that size, simulated in a process of its own and kept for the next benchmark."""
    import subprocess
    import sys

    from training.simulator.truth import VERSION

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
