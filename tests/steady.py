"""``python -m tests.steady 10``: the tests that start browsers, services, databases and processes, so many times in a
row beside two busy processes. They must not depend on the speed of the machine; one failure ends it.

It prints a line for each time, and ends with exit code 1 where a test failed. Words after the number go to pytest.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import ROOT

SHAKEN = (
    "tests/browser",
    "tests/faults",
    "tests/serving/test_starting.py",
    "tests/serving/security/test_doors.py",
    "tests/serving/messages/test_kills.py",
    "tests/serving/nightly/test_run.py",
    "tests/serving/data_rights/test_erasure_beside_a_run.py",
)
BUSY = 2


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that compute all the time, ended by their own ids."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def main(times: int, words: list[str]) -> int:
    for number in range(1, times + 1):
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-n", "2", "--tb=short", *SHAKEN, *words]
        with busy(BUSY):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()
        print(f"{number} of {times}: {last}; {time.monotonic() - began:.0f} s beside {BUSY} busy processes", flush=True)
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:]))
