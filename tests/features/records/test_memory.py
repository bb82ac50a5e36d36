"""Memory that nothing needs any more goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORGET = """
import numba, numpy as np
from pathlib import Path
from features.records.memory import forget_code

def held():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024

@numba.njit
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found

assert total(np.arange(5.0)) == 10.0
before = held()
forgotten = forget_code("libllvmlite") // 1_000_000
print(forgotten, before - held())
assert total(np.arange(5)) == 10.0  # of whole numbers: compiled now, by a compiler that came back from disk
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is given back by name on Linux only")
def test_compiled_code_is_unloaded_and_loaded_again_when_called():
    done = subprocess.run([sys.executable, "-c", FORGET], capture_output=True, text=True, check=True)
    forgotten, fell = map(int, done.stdout.split())
    assert forgotten > 20 and fell > 20


def test_a_library_that_is_not_loaded_is_nothing_to_forget():
    from features.records.memory import forget_code

    assert forget_code("libnobodyhasthis") == 0
