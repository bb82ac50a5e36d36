"""``python -m tests.faults``: every fault with its outcome, the seconds of the restore drill, the canary search, and
schemathesis's summary."""

from __future__ import annotations

import subprocess
import sys

RUNS = (["tests/faults"], ["-s", "tests/contract/test_schemathesis.py"])


def main() -> int:
    common = [sys.executable, "-m", "pytest", "-n", "0", "-q"]
    return max(subprocess.run([*common, *words], check=False).returncode for words in RUNS)


if __name__ == "__main__":
    sys.exit(main())
