"""``make bench`` runs every benchmark, ``make bench ONLY=shapley`` one. Each runs in its own process and prints one
JSON line (docs/speed.md)."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

BENCHMARKS = {
    "features-full": ("tests.benchmarks.features", "run"),
    "features-tsf": ("tests.benchmarks.tsf", "run"),
    "features-duckdb": ("tests.benchmarks.duckdb_query", "run"),
    "train-overhead": ("tests.benchmarks.training", "run"),
    "shapley": ("tests.benchmarks.shapley", "run"),
    "one-person": ("tests.benchmarks.shapley", "run_one_person"),
    "nightly": ("tests.benchmarks.nightly", "run"),
    "simulate": ("tests.benchmarks.simulate", "run"),
    "api": ("tests.benchmarks.api", "run"),
    "load": ("tests.benchmarks.load", "run"),
    "worklist": ("tests.benchmarks.worklist", "run"),
    "cds": ("tests.benchmarks.cds", "run"),
    "texts": ("tests.benchmarks.texts", "run"),
    "limits": ("tests.benchmarks.limits", "run"),
    "records-load": ("tests.benchmarks.records_load", "run"),
    "gaps": ("tests.benchmarks.gaps", "run"),
    "fhir": ("tests.benchmarks.fhir", "run"),
    "start": ("tests.benchmarks.start", "run"),
    "spark": ("tests.benchmarks.spark", "run"),
}


def one(name: str) -> None:
    module, function = BENCHMARKS[name]
    found = getattr(importlib.import_module(module), function)()
    for line in found if isinstance(found, list) else [found]:
        sys.stdout.write(json.dumps(line) + "\n")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    failed = 0
    for name in names or BENCHMARKS:
        command = [sys.executable, "-c", f"from tests.benchmarks.__main__ import one; one({name!r})"]
        failed |= subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
