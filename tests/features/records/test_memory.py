"""Memory that nothing needs any more goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from features import Records

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

OPEN = """
import sys
from features import Records
from pathlib import Path

store = Path(sys.argv[1])
Records.load(store)
Records.load(store)  # its columns were kept by the first
mappings = Path("/proc/self/smaps").read_text().split("VmFlags")
code = [one for one in mappings if "r-xp" in one and "libllvmlite" in one]
print(len(code), sum(int(one.split("Rss:")[1].split()[0]) for one in code) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is given back by name on Linux only")
def test_compiled_code_is_unloaded_and_loaded_again_when_called():
    done = subprocess.run([sys.executable, "-c", FORGET], capture_output=True, text=True, check=True)
    forgotten, fell = map(int, done.stdout.split())
    assert forgotten > 20 and fell > 20


SEVERAL = """
import pyarrow as pa
from features.records.memory import forget_code

one = forget_code("libarrow")
print(one, forget_code("libarrow", "libparquet"), pa.array(["anna", None]).to_pylist())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is given back by name on Linux only")
def test_the_code_of_several_libraries_is_given_back_at_once():
    done = subprocess.run([sys.executable, "-c", SEVERAL], capture_output=True, text=True, check=True)
    one, both, *said = done.stdout.split(maxsplit=2)
    assert 0 < int(one) < int(both)
    assert said == ["['anna', None]\n"]


def test_a_library_that_is_not_loaded_is_nothing_to_forget():
    from features.records.memory import forget_code

    assert forget_code("libnobodyhasthis") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="memory is given back by name on Linux only")
def test_a_process_that_opened_a_store_holds_little_of_the_compiler(tmp_path):
    store = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]})}).save(tmp_path / "store")
    done = subprocess.run([sys.executable, "-c", OPEN, str(store)], capture_output=True, text=True, check=True)
    loaded, held = map(int, done.stdout.split())
    assert loaded and held < 10  # 50 and more without
