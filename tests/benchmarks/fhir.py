"""``upstream ingest fhir`` of a tenth and of a fifth of 60,000 people, each in a process of its own: seconds, processor
seconds, and the most memory that the program and its workers held.

The NDJSON is that of 1,000 simulated people, copied under new ids: each line is read, but the variety of histories is
that of the smaller trust. All synthetic.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from features.records.sources import fhir
from tests.benchmarks.measure import CACHE, family_peak, line, load
from training.simulator.oracle import VERSION

WHOLE, BASE, YEARS = 60_000, 1_000, 4
FLOOR_S, FLOOR_MB = 600, 4_000
"""For the whole of 60,000 people (DESIGN.md, section 8)."""
_MEMORY = ("peak_mb", "process_mb")
_ID = re.compile(rb'"id":"(?!m")')
_REFERENCE = re.compile(
    rb'"reference":"(Patient|Appointment|Encounter|EpisodeOfCare|Observation|Condition|AllergyIntolerance|CarePlan'
    rb"|MedicationRequest|MedicationDispense|MedicationAdministration)/"
)


def extract(people: int) -> Path:
    """A folder with the NDJSON of that many people, kept for the next benchmark."""
    base = CACHE / f"fhir-{BASE}x{YEARS}-v{VERSION}"
    if not (base / "manifest.json").exists():
        fhir.export(load(BASE, YEARS), base)
    folder = CACHE / f"fhir-{people}-of-{BASE}x{YEARS}-v{VERSION}"
    if (folder / "ready").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(base.glob("*.ndjson")):
        with (folder / file.name).open("wb") as out:
            for copy in range(1 if file.stem == "CareTeam" else people // BASE):
                _copy(file, out, b"c%d-" % copy)
    (folder / "ready").touch()
    return folder


def _copy(file: Path, out: Any, name: bytes) -> None:
    """One copy of a file, with ``name`` before the id of every resource and reference that belongs to a person."""
    with file.open("rb") as lines:
        while block := lines.readlines(16 * 2**20):
            text = _ID.sub(rb'"id":"' + name, b"".join(block)) if file.stem != "CareTeam" else b"".join(block)
            out.write(_REFERENCE.sub(rb'"reference":"\1/' + name, text))


def measure(people: int) -> dict[str, Any]:
    """One size: what the command needs from NDJSON to a store."""
    folder = extract(people)
    lines = sum(_lines(file) for file in folder.glob("*.ndjson"))
    with tempfile.TemporaryDirectory() as out, family_peak(0.5) as peak:
        words = [sys.executable, "upstream.py", "ingest", "fhir", str(folder), "--out", f"{out}/store", "--json"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        most = peak()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = sum(file.stat().st_size for file in folder.glob("*.ndjson"))
    return {"people": people, "lines": lines, "gb": round(size / 1e9, 2), "seconds": round(seconds, 1),
            "cpu_seconds": round(used, 1), "peak_mb": most, "process_mb": after.ru_maxrss // 1024}  # fmt: skip


def _lines(file: Path) -> int:
    count = 0
    with file.open("rb") as content:
        while block := content.read(2**24):
            count += block.count(b"\n")
    return count


def run() -> dict[str, Any]:
    """A tenth, and a fifth for the growth of memory; ``whole`` states both for 60,000 people at that growth.

    While few people are read, the workers hold the most, and that does not grow. So the largest single process
    (``process_mb``) is extrapolated too, and the larger of both counts.
    """
    tenth, fifth = measure(WHOLE // 10), measure(WHOLE // 5)
    growth = {name: (fifth[name] - tenth[name]) / (fifth["people"] - tenth["people"]) for name in _MEMORY}
    whole = {
        "people": WHOLE,
        "lines": tenth["lines"] * 10,
        "seconds": round(tenth["seconds"] * 10),
        "cpu_seconds": round(tenth["cpu_seconds"] * 10),
        "peak_mb": round(max(tenth[name] + growth[name] * (WHOLE - tenth["people"]) for name in _MEMORY)),
    }
    found = line("fhir", tenth["seconds"], "s", FLOOR_S / 10, cores=os.cpu_count(), **tenth)
    within = whole["peak_mb"] <= FLOOR_MB
    return found | {"fifth": fifth, "mb_for_1000_people": round(max(growth.values()) * 1_000, 1), "whole": whole,
                    "ok": found["ok"] and within}  # fmt: skip
