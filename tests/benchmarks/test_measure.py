"""The memory of a process is that of everything it started too."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.measure import family_peak


def test_peak_memory_counts_child_processes_also_after_they_end():
    with family_peak(0.02) as held:
        before = held()
        child = "import time; kept = b'x' * 150_000_000; time.sleep(0.5)"
        subprocess.run([sys.executable, "-c", child], check=True)
    assert held() >= before + 140
