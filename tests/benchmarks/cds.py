"""CDS Hooks patient-view at 50 calls a second: every call signed anew, with its token spent, its cards, audit event and
exposure on disk before the answer. The service is a process of its own over a list of 500 people of one team.

A call is sent when its time has come, whether or not the one before was answered, and counts from then: a service that
falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from features import Records
from models.publishing import publish
from serving.nightly.run import latest_as_of, score_store
from tests.benchmarks.measure import line, simulated_store
from tests.benchmarks.worklist import TEAM, one_team
from tests.faults.processes import served
from tests.serving import world
from tests.serving.cds import clients
from tests.serving.cds.conftest import VIEW

A_SECOND, SECONDS, FLOOR_S = 50, 20, 0.05


def run() -> dict[str, Any]:
    whole = Records.load(simulated_store(1_000, 4))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        records = one_team(whole, latest_as_of(whole))
        records.save(home / "store")
        publish(home / "bundles", world.write_tiny_bundle(home / "made", records))
        score_store(home / "store", home / "bundles", home, latest_as_of(whole), threads=2)
        trusted = json.dumps([clients.settings(Path(folder), teams=[TEAM])])
        people = records.patient_ids.tolist()
        del whole, records
        gc.collect()  # what is measured is the service, not the collector of this process
        os.sync()  # nor the disk still writing the home that was just made
        with served(home, OMP_NUM_THREADS="1", UPSTREAM_CDS=trusted, UPSTREAM_SYSTEM_RATE_PER_MINUTE="100000") as (
            address,
            _,
        ):
            asyncio.run(_load(address, people, A_SECOND))  # a second to warm up
            began = dt.datetime.now(dt.UTC)
            taken, cards = asyncio.run(_load(address, people, A_SECOND * SECONDS))
            lasted = (dt.datetime.now(dt.UTC) - began).total_seconds()
    p50, p99 = np.percentile(taken, [50, 99])
    found = line("cds", float(p99), "s, p99 of patient-view at 50 a second", FLOOR_S, people=len(people))
    return found | {"p50": round(float(p50), 4), "calls": len(taken), "cards": cards, "lasted_s": round(lasted, 1)}


async def _load(address: str, people: list[str], calls: int) -> tuple[list[float], int]:
    """Seconds of each call from the moment it was due, and how many cards came back."""
    signed = [clients.token(VIEW, aud=address + VIEW) for _ in range(calls)]
    limits = httpx.Limits(max_connections=50, max_keepalive_connections=50)
    async with httpx.AsyncClient(base_url=address, timeout=30, limits=limits) as client:
        start = time.perf_counter() + 0.1

        async def one(place: int) -> tuple[float, int]:
            due = start + place / A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            body = clients.hook("patient-view", people[place % len(people)])
            answer = await client.post(VIEW, json=body, headers={"Authorization": f"Bearer {signed[place]}"})
            answer.raise_for_status()
            return time.perf_counter() - due, len(answer.json()["cards"])

        found = await asyncio.gather(*(one(place) for place in range(calls)))
    return [seconds for seconds, _ in found], sum(cards for _, cards in found)
