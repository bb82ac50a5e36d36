"""The gaps of 9,000 people on one day, in seconds of processor time, held against commit 98e9a48.

The floor follows the machine: the same run measures a fixed loop of plain Python, and the floor is as many loops as
98e9a48 needed. Both are processor time, the best of three, so that other work on the machine counts little.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from features.gaps import gaps_of
from tests.benchmarks.measure import line, load

PEOPLE, YEARS = 9_000, 3
LOOPS_AT_98E9A48 = 32.6
"""Seconds of 98e9a48 over seconds of :func:`_loop`, measured in one run on two busy cores (load 12)."""


def _loop() -> int:
    found: dict[int, tuple[int, str]] = {}
    for place in range(1_000_000):
        found[place % 1000] = (place, str(place))
    return len(found)


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def run() -> dict[str, Any]:
    records = load(PEOPLE, YEARS)
    day = int(np.max(records.columns("contacts")["known_on"]))
    places = np.arange(PEOPLE)
    gaps_of(records, places[:200], day)  # compiles
    loop = _seconds(_loop)
    ours = _seconds(lambda: gaps_of(records, places, day))
    return line(
        "gaps",
        ours,
        "s",
        round(LOOPS_AT_98E9A48 * loop, 3),
        people=PEOPLE,
        loop_s=round(loop, 3),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
    )
