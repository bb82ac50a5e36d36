"""Checks that a run makes besides its evaluation: the proof that no feature reads the future, the time to score and
explain one person, and whether it is known who was listed.

They are files of the run, ``checks/leakage.json``, ``checks/latency.json`` and ``checks/exposure.json``, and
promotion reads them there: a model without them is not promoted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.leakage import Statement, prove
from features.records import Records
from models.risk_model import RiskModel
from training.impact.exposure import ExposureNote

LATENCY = "latency.json"
EXPOSURE = "exposure.json"
_WARM, _TIMED = 20, 200


def leakage(records: Records, rows: int, seed: int, threads: int) -> Statement:
    """The leakage statement on the training records: ``rows`` checks of one person on one date, each with the future
    deleted and garbled.
    """
    return prove(records, rows, seed, threads=threads)


def latency(model: RiskModel, values: npt.NDArray[np.floating], names: tuple[str, ...]) -> dict[str, Any]:
    """Milliseconds to score and explain one row in process, over rows of ``values`` one at a time: median and 99th
    percentile."""
    if not len(values):
        raise ValueError("no rows to time: give at least one")
    seconds = np.empty(_TIMED)
    for n in range(-_WARM, _TIMED):
        row = np.ascontiguousarray(values[n % len(values)][None, :])
        began = time.perf_counter()
        model.score(row, names=names)
        seconds[max(n, 0)] = time.perf_counter() - began
    return {
        "rows": _TIMED,
        "median_ms": round(float(np.median(seconds) * 1000), 4),
        "p99_ms": round(float(np.percentile(seconds, 99) * 1000), 4),
    }


def write(folder: Path, statement: Statement, timed: dict[str, Any], exposure: ExposureNote) -> None:
    statement.write(folder)
    kept = {**exposure.as_dict(), "problem": exposure.problem}
    (folder / EXPOSURE).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    (folder / LATENCY).write_text(json.dumps(timed, indent=1) + "\n", encoding="utf-8")
